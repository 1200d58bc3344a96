/**
 * PostgreSQL in a container, through testcontainers: Docker, or whatever speaks its API (Podman does).
 *
 * The image is a setting, `PG_DEADLINE_IMAGE`, the official one unless set. Nothing is asked of it but a shell, `initdb` and
 * `postgres`: the entry point is replaced by a script of our own, so that an official image and one made by hand (programs in
 * /opt/pg on a bare Debian) get the same cluster, and the same one as the other providers'.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { StartedTestContainer } from 'testcontainers'
import { reportVersion, untilAborted } from './cluster.ts'
import { checkFileName, INITDB_ARGUMENTS, SUPERUSER, writeHba, writeSettings } from './configuration.ts'
import { writeUrl } from './connection-url.ts'
import type { Provider } from './provider.ts'
import type { ServerOptions, TestServer } from './server.ts'
import { openSuperuser } from './superuser.ts'

const DEFAULT_MAJOR = '18'
const PORT = 5432
const START_MS_MAX = 120_000

/** Every image has this account, and PostgreSQL asks for no more than not to be root. */
const NOBODY = '65534:65534'

const SCRIPT = `
set -eu
umask 077
for programs in /usr/lib/postgresql/*/bin /usr/local/bin /opt/pg/bin; do PATH="$PATH:$programs"; done
data=/tmp/pg-deadline
initdb "$@" --pgdata=$data --pwfile=/fixture/password
cat /fixture/postgresql.conf >> $data/postgresql.conf
cat /fixture/pg_hba.conf > $data/pg_hba.conf
for file in /fixture/files/*; do if [ -e "$file" ]; then cp "$file" $data/; fi; done
exec postgres -D $data -p ${PORT} -k /tmp
`

export const container: Provider = {
  name: 'testcontainers',
  async unavailable(options) {
    const { ImageName, getContainerRuntimeClient } = await import('testcontainers')
    const image = readImage(options)
    const runtime = await getContainerRuntimeClient().catch(() => null)
    if (runtime === null) {
      return 'no container runtime answers; start Docker or Podman, or say where it listens in DOCKER_HOST'
    }
    try {
      const name = ImageName.fromString(image)
      await runtime.image.pull(name)
      // Podman answers an attempt in vain with a success.
      await runtime.image.inspect(name)
      return null
    } catch (error) {
      return `the image ${image} cannot be had (${String(error)}); set PG_DEADLINE_IMAGE to one that is there`
    }
  },
  async start(options) {
    const starting = startContainer(options)
    try {
      return await untilAborted(starting, options.signal)
    } catch (error) {
      // The runtime cannot be told to give up: whoever aborts does not wait for it, but nothing stays.
      starting.then((server) => server.stop()).catch(() => {})
      throw error
    }
  },
}

function readImage({ version = DEFAULT_MAJOR }: ServerOptions): string {
  const { PG_DEADLINE_IMAGE } = process.env
  return PG_DEADLINE_IMAGE || `postgres:${version}`
}

async function startContainer(options: ServerOptions): Promise<TestServer> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers')
  const { dockerode } = (await getContainerRuntimeClient()).container
  const { socketPath } = dockerode.modem as { readonly socketPath?: string }
  const name = `pg-deadline-${randomBytes(6).toString('hex')}`
  const release = socketPath === undefined ? () => {} : guardContainer(socketPath, name)

  let beginning = ''
  let following: { destroy(): void } | null = null
  let started: StartedTestContainer
  try {
    started = await new GenericContainer(readImage(options))
      .withName(name)
      .withUser(NOBODY)
      .withEntrypoint(['sh', '-c', SCRIPT, 'pg-deadline'])
      .withCommand([...INITDB_ARGUMENTS])
      .withEnvironment({ LC_ALL: 'C', TZ: 'UTC' })
      .withCopyContentToContainer(writeFixture(options))
      .withExposedPorts(PORT)
      // Where we cannot reach the runtime's socket, testcontainers' own reaper, a second container, cleans up.
      .withAutoCleanup(socketPath === undefined)
      .withLogConsumer((stream) => {
        following = stream
        stream.on('data', (chunk) => {
          beginning += String(chunk)
        })
      })
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/))
      .withStartupTimeout(START_MS_MAX)
      .start()
  } catch (error) {
    release()
    const tail = beginning.split('\n').slice(-20).join('\n')
    throw new Error(`PostgreSQL did not start in a container. The end of its log:\n${tail}`, { cause: error })
  } finally {
    ;(following as { destroy(): void } | null)?.destroy()
  }
  return describeServer(started, release)
}

async function describeServer(started: StartedTestContainer, release: () => void): Promise<TestServer> {
  // testcontainers says 'localhost', which may be ::1 first; the port is mapped on IPv4.
  const host = started.getHost() === 'localhost' ? '127.0.0.1' : started.getHost()
  const port = started.getMappedPort(PORT)
  const { name: user, password } = SUPERUSER
  const superuser = openSuperuser({ host, port, user, password, ssl: false })
  let stopped: Promise<void> | null = null

  async function stop(): Promise<void> {
    await superuser.close()
    await started.stop({ remove: true, removeVolumes: true })
    release()
  }

  const server = {
    provider: 'testcontainers',
    version: '',
    host,
    port,
    socketDirectory: null,
    url: (parts) => writeUrl({ host, port, user, password, database: 'postgres' }, parts),
    sql: superuser.sql,
    log: () => readLog(started.getId()),
    stop() {
      stopped ??= stop()
      return stopped
    },
    [Symbol.asyncDispose]: () => server.stop(),
  } satisfies TestServer as TestServer

  try {
    return Object.assign(server, { version: await reportVersion(server) })
  } catch (error) {
    await server.stop()
    throw error
  }
}

function writeFixture(options: ServerOptions) {
  const files: Record<string, string | Uint8Array> = {
    password: SUPERUSER.password,
    'postgresql.conf': writeSettings('*', options),
    'pg_hba.conf': writeHba(options),
  }
  for (const [name, content] of Object.entries(options.files ?? {})) files[`files/${checkFileName(name)}`] = content
  return Object.entries(files).map(([name, content]) => ({
    content: typeof content === 'string' ? content : Buffer.from(content),
    target: `/fixture/${name}`,
    mode: 0o644,
  }))
}

/** What there is of it; testcontainers' own stream follows the log and so never ends. */
async function readLog(id: string): Promise<string> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  const runtime = await getContainerRuntimeClient()
  const frames = await runtime.container.getById(id).logs({ follow: false, stdout: true, stderr: true })
  const chunks: Buffer[] = []
  // Docker's frames: which stream (1 byte), nothing (3), length (4), text.
  for (let at = 0; at + 8 <= frames.length; ) {
    const end = at + 8 + frames.readUInt32BE(at + 4)
    chunks.push(frames.subarray(at + 8, end))
    at = end
  }
  return Buffer.concat(chunks).toString()
}

/**
 * A container outlives its client. This small process sees our end of a pipe close, whether we end or are done with the
 * container, and removes what there still is under its name, which is given before the container is made.
 */
function guardContainer(socketPath: string, name: string): () => void {
  const guardian = spawn(process.execPath, ['-e', GUARDIAN, socketPath, `/containers/${name}?force=true&v=true`], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
  })
  guardian.on('error', () => {})
  guardian.stdin.on('error', () => {})
  guardian.unref()
  ;(guardian.stdin as unknown as { unref(): void }).unref()
  return () => guardian.stdin.end()
}

const GUARDIAN = `
const [, socketPath, path] = process.argv
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.on(signal, () => {})
process.stdin.resume().on('end', () => {
  require('node:http').request({ socketPath, path, method: 'DELETE' }).on('error', () => {}).end()
})
`

/** PgBouncer with TLS and rules as in pg_hba.conf, a method for every user: for the matrix of methods and servers. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AS_SERVER, giveToServer } from './account.ts'

export interface PgBouncerOptions {
  readonly server: { readonly host: string; readonly port: number }
  /** Of its users, in the clear: it logs in at the server with them. */
  readonly passwords: Readonly<Record<string, string>>
  /** As pg_hba.conf. */
  readonly hba: readonly string[]
  readonly certificate: { readonly crt: string; readonly key: string }
}

export interface PgBouncer extends AsyncDisposable {
  readonly version: string
  readonly host: string
  readonly port: number
}

/** Null if there is no PgBouncer on this machine. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer | null> {
  const version = findVersion()
  if (version === null) return null
  const directory = mkdtempSync(join(tmpdir(), 'pgbouncer-'))
  giveToServer(directory)
  const write = (name: string, text: string) => {
    const file = join(directory, name)
    writeFileSync(file, text, { mode: 0o600 })
    giveToServer(file)
    return file
  }
  const { host, port: serverPort } = options.server
  const port = await findFreePort()
  const users = Object.entries(options.passwords).map(([user, password]) => `"${user}" "${password}"\n`)
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'hba',
    auth_hba_file: write('hba.conf', `${options.hba.join('\n')}\n`),
    auth_file: write('users.txt', users.join('')),
    client_tls_sslmode: 'allow',
    client_tls_cert_file: write('server.crt', options.certificate.crt),
    client_tls_key_file: write('server.key', options.certificate.key),
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  const file = write(
    'pgbouncer.ini',
    `[databases]\n* = host=${host} port=${serverPort}\n[pgbouncer]\n${lines.join('')}`,
  )
  const child = spawn('pgbouncer', [file], { ...AS_SERVER, stdio: ['ignore', 'ignore', 'pipe'] })
  const log: string[] = []
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log.push(chunk.toString())
      if (log.join('').includes('process up')) resolve()
    })
    child.once('exit', () => reject(new Error(`PgBouncer did not start:\n${log.join('')}`)))
    child.once('error', reject)
  })
  try {
    await ready
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    throw error
  }
  return {
    ...{ version, host: '127.0.0.1', port },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function findVersion(): string | null {
  try {
    const text = execFileSync('pgbouncer', ['--version'], { ...AS_SERVER, encoding: 'utf8', stdio: 'pipe' })
    return /PgBouncer (\S+)/.exec(text)?.[1] ?? null
  } catch {
    return null
  }
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

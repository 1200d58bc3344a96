/**
 * A server that exists already, named by `PG_DEADLINE_SERVER_URL`: a superuser's connection URI. It is used as it is; what
 * would mean changing it is refused.
 */
import { reportVersion } from './cluster.ts'
import { writeUrl } from './connection-url.ts'
import type { Provider } from './provider.ts'
import type { ServerOptions, TestServer } from './server.ts'
import { openSuperuser } from './superuser.ts'

export const url: Provider = {
  name: 'url',
  async unavailable() {
    return readEnvironment() !== undefined
      ? null
      : 'PG_DEADLINE_SERVER_URL is not set; set it to the URI of a superuser on an existing server'
  },
  async start(options) {
    return useServer(readEnvironment() ?? '', options)
  },
}

function readEnvironment(): string | undefined {
  const { PG_DEADLINE_SERVER_URL } = process.env
  return PG_DEADLINE_SERVER_URL || undefined
}

async function useServer(connectionString: string, options: ServerOptions): Promise<TestServer> {
  refuseChanges(options)
  const address = readAddress(connectionString)
  const superuser = openSuperuser({ connectionString })
  const server = {
    provider: 'url',
    version: '',
    host: address.host,
    port: address.port,
    socketDirectory: null,
    url: (parts) => writeUrl(address, parts),
    sql: superuser.sql,
    log: () => Promise.reject(new Error(`the log of an existing server (PG_DEADLINE_SERVER_URL) is not in our reach`)),
    stop: superuser.close,
    [Symbol.asyncDispose]: superuser.close,
  } satisfies TestServer as TestServer
  try {
    return Object.assign(server, { version: await reportVersion(server) })
  } catch (error) {
    await server.stop()
    throw error
  }
}

function refuseChanges(options: ServerOptions): void {
  const changes = (['settings', 'hba', 'files'] as const).filter((name) => {
    const value = options[name]
    return value !== undefined && Object.keys(value).length > 0
  })
  if (changes.length === 0) return
  throw new Error(
    `this test needs a server with its own ${changes.join(', ')}, which the existing one of PG_DEADLINE_SERVER_URL cannot be ` +
      'given; unset the variable to have one started',
  )
}

function readAddress(connectionString: string) {
  let parsed: URL
  try {
    parsed = new URL(connectionString)
  } catch (error) {
    throw new Error('PG_DEADLINE_SERVER_URL is not a URI such as postgres://postgres:secret@127.0.0.1:5432/postgres', {
      cause: error,
    })
  }
  const user = decodeURIComponent(parsed.username) || 'postgres'
  return {
    host: decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '') || 'localhost',
    port: Number(parsed.port) || 5432,
    user,
    password: parsed.password === '' ? null : decodeURIComponent(parsed.password),
    database: decodeURIComponent(parsed.pathname.slice(1)) || user,
  }
}

/**
 * A real PostgreSQL server for live tests and for the demo: `startServer()` hands one out, `stop()` (or `await using`) takes
 * it away again and leaves nothing behind.
 *
 * Where the server comes from is the affair of `provider.ts` and of one file a provider; a test never asks. What it may ask
 * for is written here.
 */
import { chooseProvider, PROVIDERS, type ProviderName } from './provider.ts'

export interface ServerOptions {
  /** Major version. Default '18', except where a server already exists: there it is whatever that server is. */
  readonly version?: string
  /** `postgresql.conf`, for instance `{ max_connections: '10', password_encryption: 'md5' }`. Quoted by the fixture. */
  readonly settings?: Readonly<Record<string, string>>
  /**
   * Lines of `pg_hba.conf`, in order, for roles of your own: the superuser's lines (scram-sha-256, socket and TCP) always
   * come first, lines that let every role in with its SCRAM password come last. Write `all` as the address: a server in a
   * container does not see its clients come from 127.0.0.1.
   */
  readonly hba?: readonly string[]
  /** Files for the data directory, mode 0600, for instance `{ 'server.crt': pem, 'server.key': pem }` with `ssl = on`. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** SQL run once by the superuser, statement by statement, before the server is handed out. */
  readonly setup?: readonly string[]
  /** Do not print which server it is: whoever starts it says so. */
  readonly quiet?: boolean
  /** Aborts the start, which then rejects with `signal.reason` and leaves nothing behind. */
  readonly signal?: AbortSignal
}

export interface UrlParts {
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** A host name, an address or a socket directory. */
  readonly host?: string
  readonly parameters?: Readonly<Record<string, string>>
}

export interface TestServer extends AsyncDisposable {
  readonly provider: ProviderName
  /** As the server reports it, for instance '18.4'. */
  readonly version: string
  readonly host: string
  readonly port: number
  /** Where `.s.PGSQL.<port>` is, if this process can reach it. */
  readonly socketDirectory: string | null
  /** A connection URI, percent-encoded; without a user it is the superuser's, password included. */
  url(parts?: UrlParts): string
  /**
   * As the superuser, through `pg`, an independent client. One cached connection (its `application_name` is
   * `pg-deadline fixture`) that keeps no idle process alive. Of several statements, the rows of the last.
   */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** The server's log so far. */
  log(): Promise<string>
  /** Idempotent. */
  stop(): Promise<void>
}

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  options.signal?.throwIfAborted()
  const provider = await chooseProvider(process.env, PROVIDERS, options)
  options.signal?.throwIfAborted()
  const server = await provider.start(options)
  try {
    checkVersion(server, options)
    for (const statement of options.setup ?? []) {
      options.signal?.throwIfAborted()
      await server.sql(statement)
    }
    options.signal?.throwIfAborted()
  } catch (error) {
    await server.stop()
    throw error
  }
  if (options.quiet !== true) announce(server)
  return server
}

/** Where the server is given (by its URI, by PG_DEADLINE_IMAGE), it need not be the one that the test is about. */
function checkVersion({ provider, version }: TestServer, options: ServerOptions): void {
  const major = version.split('.')[0]
  if (options.version === undefined || options.version === major) return
  throw new Error(`this test needs PostgreSQL ${options.version}; the server of the provider ${provider} is ${version}`)
}

const announced = new Set<string>()

/** Once per process and kind of server: whoever reads a test's output sees what it was held against. */
function announce(server: TestServer): void {
  const line = `PostgreSQL ${server.version} (${server.provider})`
  if (announced.has(line)) return
  announced.add(line)
  process.stderr.write(`${line}\n`)
}

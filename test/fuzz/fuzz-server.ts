/**
 * A PostgreSQL server to be fuzzed: a group of roles for every method, TLS, and a log in which each line has its SQLSTATE. Its
 * answers to "who is still here" and "whom did you let in" are what our own view is held against.
 */
import { read } from '../certificates/index.ts'
import { startServer, type TestServer } from '../servers/server.ts'

export const METHODS = ['trust', 'password', 'md5', 'scram-sha-256'] as const
export type Method = (typeof METHODS)[number]

/** Roles log in by the method of the group that they are in. */
const GROUPS: Readonly<Record<Method, string>> = {
  trust: 'by_trust',
  password: 'by_password',
  md5: 'by_md5',
  'scram-sha-256': 'by_scram',
}

/** A login of every group, with this password. */
export const ROLES: Readonly<Record<Method, string>> = {
  trust: 'app_trust',
  password: 'app_password',
  md5: 'app_md5',
  'scram-sha-256': 'app_scram',
}
export const PASSWORD = 'correct horse'

export class FuzzServer implements AsyncDisposable {
  readonly server: TestServer
  #crashesHeard = 0

  private constructor(server: TestServer) {
    this.server = server
  }

  static async start({ quiet = false, tls = true }: { quiet?: boolean; tls?: boolean } = {}): Promise<FuzzServer> {
    const server = await startServer({
      quiet,
      settings: {
        ssl: tls ? 'on' : 'off',
        ssl_cert_file: 'server.crt',
        ssl_key_file: 'server.key',
        max_connections: '60',
        // What is fuzzed is the exchange, and not the patience of the machine.
        scram_iterations: '16',
        log_connections: 'authorization',
        log_line_prefix: '%p %e ',
        autovacuum: 'off',
      },
      files: { 'server.crt': read('server.crt'), 'server.key': read('server.key') },
      hba: METHODS.map((method) => `host all +${GROUPS[method]} all ${method}`),
      setup: [
        ...METHODS.map((method) => `create role ${GROUPS[method]}`),
        ...METHODS.flatMap((method) => createRole(ROLES[method], method, PASSWORD)),
      ],
    })
    return new FuzzServer(server)
  }

  /** Backends of anybody but the one who asks, those included that have not been let in yet. */
  async countBackends(): Promise<number> {
    const [row] = await this.server.sql(
      "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
    return Number(row?.['n'])
  }

  /** The names under which the server has let somebody in, each as often as it has. */
  async authorizedNames(): Promise<Map<string, number>> {
    const names = new Map<string, number>()
    for (const [, name = ''] of (await this.server.log()).matchAll(
      /connection authorized: user=\S+ database=\S+ application_name=(\S+)/g,
    )) {
      names.set(name, (names.get(name) ?? 0) + 1)
    }
    return names
  }

  /** Lines that no client may ever cause: crashes, restarts, internal errors (XX...). Each is told once. */
  async crashes(): Promise<string[]> {
    const all = (await this.server.log())
      .split('\n')
      .filter((line) => /was terminated by signal|all server processes terminated|PANIC: |^\d+ XX\d{3} /.test(line))
    const told = all.slice(this.#crashesHeard)
    this.#crashesHeard = all.length
    return told
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.stop()
  }
}

/** SQL that makes a role which logs in by this method. */
export function createRole(name: string, method: Method, password: string): string[] {
  return [
    `set password_encryption = '${method === 'md5' ? 'md5' : 'scram-sha-256'}'`,
    `create role ${identifier(name)} login password ${literal(password)} in role ${GROUPS[method]}`,
  ]
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** #SQL-SYNTAX-STRINGS: with standard_conforming_strings a backslash is a backslash. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

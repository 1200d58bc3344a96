/** What a scenario needs: a server, the clients' processes, and somebody to tell how far it is. */

import { pathOf, read } from '../../test/certificates/index.ts'
import { startServer, type TestServer } from '../../test/servers/server.ts'
import type { Target } from '../clients/target.ts'

export interface World {
  /** A short try: the figures mean nothing. */
  readonly quick: boolean
  /** How far it is. */
  readonly tell: (done: number, of: number, what: string) => void
}

const ROLE = 'bench'
/** As strong as people's are: its length is part of what PBKDF2 costs, but hardly. */
export const PASSWORD = 'correct horse battery'
const CA = { ca: read('ca.crt'), caFile: pathOf('ca.crt') }
export const CERTIFICATE = { certificate: read('server.crt'), privateKey: read('server.key') }

/** PostgreSQL with TLS and the role that everybody is. */
export function openServer(settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  return startServer({
    quiet: true,
    settings: {
      ssl: 'on',
      ssl_cert_file: 'server.crt',
      ssl_key_file: 'server.key',
      log_connections: 'off',
      ...settings,
    },
    files: { 'server.crt': CERTIFICATE.certificate, 'server.key': CERTIFICATE.privateKey },
    setup: [`create role ${ROLE} login password '${PASSWORD}'`],
  })
}

export function targetOf({ host, port }: { readonly host: string; readonly port: number }, tls: boolean): Target {
  return { host, port, user: ROLE, password: PASSWORD, database: 'postgres', tls: tls ? CA : null }
}

/** What is taken away again, last things first. AsyncDisposableStack, which Node 20 has not. */
export class Stack implements AsyncDisposable {
  readonly #all: AsyncDisposable[] = []

  use<T extends AsyncDisposable>(one: T): T {
    this.#all.push(one)
    return one
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#all.reverse()) await one[Symbol.asyncDispose]()
  }
}

/** Until nobody of an earlier round is left on the server. */
export async function untilDeserted(server: TestServer): Promise<void> {
  for (const endMs = performance.now() + 10_000; performance.now() < endMs; ) {
    const [row] = await server.sql(`select count(*)::int as left from pg_stat_activity where usename = '${ROLE}'`)
    if (row?.['left'] === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('clients of an earlier round are still there after 10 s')
}

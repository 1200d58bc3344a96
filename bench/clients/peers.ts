/** The peers, with the little of their interfaces that is needed here, at their best settings for a connect. */
import { createRequire } from 'node:module'
import { createSecureContext } from 'node:tls'
import type { Client, Target } from './target.ts'

const require = createRequire(import.meta.url)

interface PgClient {
  connect(): Promise<unknown>
  on(event: 'error', listener: () => void): void
  query(query: {
    text: string
    rowMode?: 'array'
    types?: { getTypeParser: () => (text: string) => string }
  }): Promise<{ rows: unknown[] }>
  end(): Promise<void>
}
interface PostgresSql {
  unsafe(text: string): { simple(): { values(): Promise<unknown[]> } }
  end(options?: { timeout: number }): Promise<void>
}
type Options = Readonly<Record<string, unknown>>

const pg: { Client: new (options: Options) => PgClient } = require('pg')
const postgres: (options: Options) => PostgresSql = require('postgres')

/** What is made of the certificates is made once, here and there: ours remembers it by itself. */
function tlsOptions({ tls }: Target): false | Options {
  return tls !== null && { secureContext: createSecureContext({ ca: tls.ca }) }
}

export function pgClient(target: Target, { direct }: { readonly direct: boolean }): Client {
  const { host, port, user, password, database } = target
  const common = { host, port, user, password, database, ssl: tlsOptions(target) }
  const options = { ...common, ...(direct && { sslnegotiation: 'direct' }) }
  const connect = async (deadlineMs: number) => {
    const client = new pg.Client({ ...options, connectionTimeoutMillis: deadlineMs })
    // What breaks later would end the process otherwise: its manual asks for this.
    client.on('error', () => {})
    await client.connect()
    return client
  }
  return {
    connect: async (deadlineMs) => {
      const client = await connect(deadlineMs)
      return () => client.end()
    },
    firstRow: async (deadlineMs) => {
      const client = await connect(deadlineMs)
      check(await client.query({ text: 'select 1', rowMode: 'array' }).then(({ rows }) => rows))
      return () => client.end()
    },
    openReader: async (text) => {
      const client = await connect(10_000)
      const types = { getTypeParser: () => (value: string) => value }
      return () => client.query({ text, rowMode: 'array', types })
    },
  }
}

export function postgresClient(target: Target, { direct }: { readonly direct: boolean }): Client {
  const { host, port, user, password, database } = target
  const options = {
    host,
    port,
    user,
    password,
    database,
    ssl: tlsOptions(target),
    ...(direct && { sslnegotiation: 'direct' }),
    max: 1,
    // It would ask for the types of the database first.
    fetch_types: false,
    onnotice: () => {},
  }
  return {
    // It connects only for a query, and `reserve()` never settles here without a look at the types. But it tells of the server's
    // parameters, and they come in one segment with ReadyForQuery: one turn later the session is ready, and the query has left.
    connect: (deadlineMs) =>
      new Promise((resolve, reject) => {
        const close = () => sql.end({ timeout: 0 })
        const onparameter = () => setImmediate(() => resolve(close))
        const sql = postgres({ ...options, connect_timeout: deadlineMs / 1_000, onparameter })
        sql
          .unsafe('select 1')
          .simple()
          .values()
          .then(() => resolve(close), reject)
      }),
    firstRow: async (deadlineMs) => {
      // In seconds; a fraction is not documented, and works.
      const sql = postgres({ ...options, connect_timeout: deadlineMs / 1_000 })
      check(await sql.unsafe('select 1').simple().values())
      return () => sql.end()
    },
    openReader: async (text) => {
      const sql = postgres({ ...options, types: {} })
      return () => sql.unsafe(text).simple().values()
    },
  }
}

function check(rows: readonly unknown[]): void {
  if (String(rows) !== '1') throw new Error(`expected one row with 1, got ${String(rows)}`)
}

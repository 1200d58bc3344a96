/**
 * How each client in Node connects, at its best settings for a deadline. Each is loaded only in the process that uses it, and
 * before the clock starts.
 */
import { createRequire } from 'node:module'
import { type NodeClientId, type Target, urlOf } from './clients.ts'

/** Connects; what it returns lets go of the connection in order. */
export type Connect = (target: Target, deadlineMs: number) => Promise<() => Promise<unknown>>

const require = createRequire(import.meta.url)

export const LOADERS: Readonly<Record<NodeClientId, () => Promise<Connect>>> = {
  'pg-deadline': async () => {
    const { connect } = await import('../../src/index.ts')
    return async (target, deadlineMs) => {
      const url = urlOf(target, {
        sslmode: target.tls ? 'require' : 'disable',
        ...(target.readWrite && { target_session_attrs: 'read-write' }),
        ...(target.iterationsMax !== null && { scram_iterations_max: String(target.iterationsMax) }),
      })
      const session = await connect(url, { timeoutMs: deadlineMs })
      return () => session.close()
    }
  },
  pg: async () => {
    const { Client }: { Client: PgClientClass } = require('pg')
    return async (target, deadlineMs) => {
      const client = new Client(pgOptions(target, deadlineMs))
      await client.connect()
      return () => client.end()
    }
  },
  'pg-pool': async () => {
    const Pool: PgPoolClass = require('pg-pool')
    // It would load this only when it is called.
    const { Client }: { Client: PgClientClass } = require('pg')
    return async (target, deadlineMs) => {
      const pool = new Pool({ ...pgOptions(target, deadlineMs), Client, max: 1 })
      // An idle client's error would be thrown otherwise: its manual asks for this.
      pool.on('error', () => {})
      const client = await pool.connect()
      return () => {
        client.release()
        return pool.end()
      }
    }
  },
  'postgres.js': async () => {
    const postgres: PostgresFunction = require('postgres')
    return async (target, deadlineMs) => {
      const sql = postgres({
        host: target.hosts.map(({ host }) => host),
        port: target.hosts.map(({ port }) => port),
        user: target.user,
        password: target.password,
        database: target.database,
        ssl: target.tls ? 'require' : false,
        connect_timeout: deadlineMs / 1_000,
        max: 1,
        fetch_types: false,
        onnotice: () => {},
        ...(target.readWrite && { target_session_attrs: 'read-write' }),
      })
      // It connects when it is first asked for something: one row is part of the connect.
      await sql.unsafe('select 1').simple()
      return () => sql.end()
    }
  },
}

function pgOptions({ hosts, user, password, database, tls, iterationsMax }: Target, deadlineMs: number) {
  return {
    ...hosts[0],
    user,
    password,
    database,
    ssl: tls ? { rejectUnauthorized: false } : false,
    connectionTimeoutMillis: deadlineMs,
    ...(iterationsMax !== null && { scramMaxIterations: iterationsMax }),
  }
}

type PgOptions = Readonly<Record<string, unknown>>
type PgClientClass = new (options: PgOptions) => { connect(): Promise<unknown>; end(): Promise<void> }
type PgPoolClass = new (
  options: PgOptions,
) => {
  on(event: 'error', listener: () => void): void
  connect(): Promise<{ release(): void }>
  end(): Promise<void>
}
type PostgresFunction = (options: PgOptions) => {
  unsafe(text: string): { simple(): Promise<unknown> }
  end(): Promise<void>
}

/**
 * The superuser's connection, through `pg`: a client that shares no code with ours, so that a fixture cannot be wrong in the
 * same way as what it tests.
 *
 * One cached connection, opened when first needed. It is unreferenced while idle: a process that has nothing else to do ends.
 */
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Superuser {
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

/** What `pg` understands: a URI, or its parts. */
export type SuperuserAddress =
  | { readonly connectionString: string }
  | {
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly ssl: false
    }

/** The part of `pg`'s client that is used here; `pg` brings no types of its own. */
interface Client {
  connect(): Promise<void>
  query(text: string, values?: unknown[]): Promise<Result | Result[]>
  end(): Promise<void>
  ref(): void
  unref(): void
  on(event: 'error' | 'end', listener: () => void): void
  readonly connection: { readonly stream: { destroy(): void } }
}
interface Result {
  readonly rows: Record<string, unknown>[]
}
interface ClientConstructor {
  new (config: SuperuserAddress & Readonly<Record<string, unknown>>): Client
}

const require = createRequire(import.meta.url)
const { Client } = require('pg') as { Client: ClientConstructor }

export function openSuperuser(address: SuperuserAddress): Superuser {
  let cached: Client | null = null
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  async function connected(): Promise<Client> {
    if (closed) throw new Error('the server of this test is stopped: no more SQL')
    if (cached !== null) return cached
    const client = new Client({
      database: 'postgres',
      ...address,
      application_name: 'pg-deadline fixture',
      connectionTimeoutMillis: 10_000,
    })
    // A test may terminate every backend, this one too; the next statement then opens another.
    const forget = () => {
      if (cached === client) cached = null
    }
    client.on('error', forget)
    client.on('end', forget)
    await client.connect()
    cached = client
    return client
  }

  async function run(text: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
    const client = await connected()
    client.ref()
    try {
      const result = await client.query(text, values)
      return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? []
    } catch (error) {
      // FATAL, or no answer at all: the connection is gone, though 'end' may not have been heard yet.
      if ((error as { severity?: string }).severity !== 'ERROR') {
        if (cached === client) cached = null
        client.connection.stream.destroy()
      }
      throw error
    } finally {
      client.unref()
    }
  }

  return {
    sql(text, values) {
      const turn = last.then(() => run(text, values))
      last = turn.catch(() => {})
      return turn
    },
    async close() {
      closed = true
      const client = cached
      if (client === null) return
      client.ref()
      // A server that a test has frozen (SIGSTOP) never says goodbye.
      await Promise.race([client.end().catch(() => {}), sleep(500, undefined, { ref: false })])
      client.connection.stream.destroy()
    },
  }
}

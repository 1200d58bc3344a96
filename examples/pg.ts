/**
 * A client that is not ours under examination: pg, through an adapter of a few lines. `npm run example -- pg` runs it;
 * docs/plug-in.md says how to plug in one's own.
 */
import { createRequire } from 'node:module'
import { CLIENT_PROPERTIES, type ClientAdapter } from 'pg-deadline/testing'
import { GENERATED_CLIENT_PROPERTIES } from 'pg-deadline/testing/arbitraries'

/** The part of pg that is used here; it brings no types of its own. */
interface PgClient {
  connect(): Promise<void>
  end(): Promise<void>
  on(event: 'error', listener: () => void): void
}

const require = createRequire(import.meta.url)
const { Client } = require('pg') as { Client: new (options: Record<string, unknown>) => PgClient }
const { version } = require('pg/package.json') as { version: string }

export const pg: ClientAdapter = {
  name: `pg ${version}`,
  async connect({ host, port, user, password, database }, { timeoutMs }) {
    const client = new Client({ host, port, user, password, database, connectionTimeoutMillis: timeoutMs })
    // As its manual says one must: what happens to an idle client is told here.
    client.on('error', () => {})
    await client.connect()
    return { close: () => client.end() }
  },
}

/** What a network may do to anybody. Damage is left to those who maintain a client: client/damage, and runAttacks. */
export const PG_PROPERTIES = [
  ...CLIENT_PROPERTIES,
  ...GENERATED_CLIENT_PROPERTIES.filter(({ id }) => id !== 'client/damage'),
]

/** The peers, with the little of their interfaces that is needed here, and their versions. */
import { createRequire } from 'node:module'
import { installedVersion } from './installed-version.ts'

const require = createRequire(import.meta.url)

interface PgClient {
  connect(): Promise<void>
  query(query: {
    text: string
    rowMode?: 'array'
    types?: { getTypeParser: () => (text: string) => string }
  }): Promise<{
    rows: unknown[]
  }>
  end(): Promise<void>
}

interface PostgresSql {
  unsafe(text: string): { simple(): { values(): Promise<unknown[]> } }
  end(options?: { timeout: number }): Promise<void>
}

export const pg: { Client: new (options: { connectionString: string }) => PgClient } = require('pg')

export const postgres: (url: string, options: Record<string, unknown>) => PostgresSql = require('postgres')

export const NAMES = {
  ours: 'pg-deadline',
  pg: `pg ${installedVersion('pg')}`,
  postgres: `postgres.js ${installedVersion('postgres')}`,
} as const

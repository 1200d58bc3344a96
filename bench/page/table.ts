/** Tables in Markdown, and the names that figures go by. */
import type { ClientId } from '../clients/target.ts'
import type { Circumstances } from '../results.ts'

/** Left-aligned, but for those whose head ends with a unit or a colon: `-:`. */
export function drawTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'))
  return [head, rule, ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('')
}

const TITLES: Readonly<Record<ClientId | 'libpq', string>> = {
  'pg-deadline': 'pg-deadline',
  'pg-deadline, cold': 'pg-deadline, no key cache',
  'pg-deadline, fast': 'pg-deadline, fast',
  'pg-deadline, file': 'pg-deadline, sslrootcert in a file',
  pg: 'pg',
  'pg, direct': 'pg, direct TLS',
  'postgres.js': 'postgres.js',
  'postgres.js, direct': 'postgres.js, direct TLS',
  libpq: 'psql (libpq)',
  floor: 'floor',
  'floor, cold': 'floor, with PBKDF2',
}

export function titleOf(client: ClientId | 'libpq'): string {
  return TITLES[client]
}

/** One colour for one client in every plot. */
export function seriesOf(client: ClientId | 'libpq'): number {
  if (client === 'pg-deadline, fast') return 1
  if (client.startsWith('pg-deadline')) return 0
  if (client.startsWith('postgres.js')) return 3
  if (client.startsWith('pg')) return 2
  return client === 'libpq' ? 4 : 5
}

export function circumstances({ date, machine, node, postgresql, peers }: Circumstances): string {
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`)
  return `Measured ${date}: ${machine}, Node ${node}, PostgreSQL ${postgresql}, ${versions.join(', ')}.`
}

/** Whether what must hold does, and by how much. */
export function verdict(what: string, holds: boolean, figures: string): string {
  return `- ${holds ? 'Holds' : '**Does not hold**'}: ${what}: ${figures}.\n`
}

export function percent(part: number, of: number): string {
  const value = (100 * part) / of
  // No 100 where one is missing.
  return `${value > 99.9 && part < of ? '99.9' : Number(value.toFixed(1))} %`
}

/** Kinds of failure, the most frequent first. */
export function tally(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).sort(([, a], [, b]) => b - a)
  return entries.map(([name, count]) => `${name} ${count.toLocaleString('en')}`).join(', ') || '·'
}

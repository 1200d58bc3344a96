/** What was measured, as it is kept in docs/benchmarks/results.json: everything that the page says comes from there. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientId } from './clients/target.ts'
import type { Summary } from './statistics.ts'

export interface RoundTripsData {
  readonly roundTripMs: number
  readonly rounds: number
  readonly rows: readonly {
    readonly client: ClientId | 'libpq'
    readonly tls: boolean
    /** From an open connection to the first row. */
    readonly roundTrips: number
    readonly tookMs: readonly number[]
  }[]
}

export interface CpuData {
  /** Cycles that are not counted: against the lean server, and then against the real one. */
  readonly warmup: number
  readonly settling: number
  readonly cycles: number
  /** How long the floor takes for what it cannot do beforehand. */
  readonly proofUs: number
  readonly rows: readonly {
    readonly client: ClientId
    readonly tls: boolean
    /** Of one cycle, one figure for each round. */
    readonly cpuMs: readonly number[]
    /** The same against the lean server, once the warm-up is over. */
    readonly leanCpuMs: readonly number[]
    readonly heapBytes: number
    readonly bufferBytes: number
  }[]
}

/** How many connects ended, in sum. */
export interface Ends {
  readonly succeeded: number
  readonly total: number
  /** Of those that succeeded; null if none did. */
  readonly tookMs: Summary | null
  readonly cpuMsPerConnect: number
  readonly loopLagMs: number
  readonly failures: Readonly<Record<string, number>>
  /** Of ours that failed: mean milliseconds by state; null: nobody has told. */
  readonly states: Readonly<Record<string, number>> | null
}

export interface StormsData {
  readonly maxConnections: number
  readonly deadlineMs: number
  readonly rounds: number
  readonly rows: readonly (Ends & { readonly client: ClientId; readonly size: number; readonly retry: boolean })[]
}

export interface TimeoutsData {
  readonly perSecond: number
  readonly durationMs: number
  readonly roundTripMs: number
  readonly jitterMs: number
  readonly rows: readonly (Ends & {
    readonly server: 'lean' | 'PostgreSQL'
    readonly client: ClientId
    readonly tls: boolean
    readonly deadlineMs: number
  })[]
}

export interface TimingData {
  readonly rows: readonly { readonly client: ClientId; readonly tookMs: readonly number[] }[]
}

export interface DataOf {
  readonly 'round-trips': RoundTripsData
  readonly cpu: CpuData
  readonly storms: StormsData
  readonly timeouts: TimeoutsData
  readonly connect: TimingData
  readonly rows: TimingData
}
export type ScenarioName = keyof DataOf

/** Where and when it was measured. */
export interface Circumstances {
  readonly date: string
  readonly machine: string
  readonly node: string
  readonly postgresql: string
  readonly peers: Readonly<Record<string, string>>
}

export interface Measured<D> extends Circumstances {
  readonly data: D
}

export type Results = { readonly [N in ScenarioName]?: Measured<DataOf[N]> }

const FILE = join(import.meta.dirname, '../docs/benchmarks/results.json')

export function readResults(): Results {
  return JSON.parse(readFileSync(FILE, 'utf8'))
}

export function writeResults(results: Results): void {
  // Figures in one line each: a file that is kept should show in a diff what has changed.
  const text = JSON.stringify(results, (_, value) => (typeof value === 'number' ? round(value) : value), 1)
  writeFileSync(
    FILE,
    `${text.replaceAll(/\[\s+(-?[\d.]+(?:,\s+-?[\d.]+)*)\s+\]/g, (_, list) => `[${list.replaceAll(/\s+/g, ' ')}]`)}\n`,
  )
}

/** To a thousandth: more is noise, and makes the file longer. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/**
 * How many handshakes a second are tried, in memory and with a real server: `npm run sim -- --record` and `npm run fuzz -- --record`
 * write what they have measured into docs/rates.json, from where it gets into docs/properties.md. Nothing is asserted of it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'

const FILE = join(import.meta.dirname, '..', 'docs', 'rates.json')

export interface Rate {
  readonly date: string
  readonly node: string
  readonly processors: number
  /** How many processes wanted a processor at the end, over a minute: more than there are, and the rate is too low. */
  readonly load: number
  readonly handshakes: number
  readonly seconds: number
}

type Rates = Readonly<Record<'simulated' | 'real', Rate>>

export function readRates(): Rates {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Rates
}

export function recordRate(kind: keyof Rates, handshakes: number, seconds: number): void {
  const rate: Rate = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    processors: availableParallelism(),
    load: Math.round((loadavg()[0] as number) * 10) / 10,
    handshakes,
    seconds: Math.round(seconds * 10) / 10,
  }
  writeFileSync(FILE, `${JSON.stringify({ ...readRates(), [kind]: rate }, null, 2)}\n`)
}

/** Thousands of connects that only their deadline ends. Its argument is an OvershootTask as JSON, and what it writes a report. */
import { connect, HandshakeError } from '../../src/index.ts'

export interface OvershootTask {
  readonly silentUrl: string
  readonly floodingUrl: string
  readonly connects: number
  /** How often Node's own timer is measured, meanwhile. */
  readonly timers: number
  /** How many more connects meet a flood, at any time. */
  readonly floods: number
}

export interface OvershootReport {
  /** Milliseconds after the deadline, one for every connect. */
  readonly ours: readonly number[]
  /** The same for setTimeout alone. */
  readonly baseline: readonly number[]
  readonly floodsEnded: number
}

const AT_ONCE = 16
const TIMEOUT_MS_MIN = 20
const TIMEOUT_MS_MAX = 120
const WARMUP_CONNECTS = 200
const FLOOD_TIMEOUT_MS = 5_000

const { silentUrl, floodingUrl, connects, timers, floods }: OvershootTask = JSON.parse(process.argv[2] ?? '')
let isOver = false
let floodsEnded = 0
const flooded = Array.from({ length: floods }, meetFloods)

await repeat(connects === 0 ? 0 : WARMUP_CONNECTS, waitInVain)
const [ours, baseline] = await Promise.all([repeat(connects, waitInVain), repeat(timers, waitForTimer)])
isOver = true
await Promise.all(flooded)
const report: OvershootReport = { ours, baseline, floodsEnded }
process.stdout.write(`${JSON.stringify(report)}\n`)

/** So many in all, so many at a time, with timeouts evenly spread. */
async function repeat(count: number, measure: (timeoutMs: number) => Promise<number>): Promise<number[]> {
  const overshoots: number[] = []
  let begun = 0
  const work = async () => {
    while (begun < count) {
      const timeoutMs = TIMEOUT_MS_MIN + (begun++ % (TIMEOUT_MS_MAX - TIMEOUT_MS_MIN + 1))
      overshoots.push(await measure(timeoutMs))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return overshoots
}

async function waitInVain(timeoutMs: number): Promise<number> {
  const startedMs = performance.now()
  const error = await failureOf(silentUrl, timeoutMs)
  if (error.failure.kind !== 'deadline') throw error
  return performance.now() - startedMs - timeoutMs
}

async function waitForTimer(timeoutMs: number): Promise<number> {
  const startedMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, timeoutMs))
  return performance.now() - startedMs - timeoutMs
}

async function meetFloods(): Promise<void> {
  while (!isOver) {
    const error = await failureOf(floodingUrl, FLOOD_TIMEOUT_MS)
    if (error.failure.kind !== 'limit') throw error
    floodsEnded += 1
  }
}

async function failureOf(url: string, timeoutMs: number): Promise<HandshakeError> {
  try {
    await connect(url, { timeoutMs })
  } catch (error) {
    if (error instanceof HandshakeError) return error
    throw error
  }
  throw new Error('a server that is never ready let us in')
}

/** How late is a deadline? Thousands of connects with short deadlines, in a process of their own: see overshoot-child.ts. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { approachTrusted } from '../../src/testing/approach.ts'
import { encodeBackend } from '../../src/testing/encode-backend.ts'
import { HostileServer } from '../../src/testing/hostile-server.ts'
import { quantile } from '../statistics.ts'
import type { OvershootReport, OvershootTask } from './overshoot-child.ts'

export interface Figures {
  readonly title: string
  readonly count: number
  /** Milliseconds after the deadline. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** What p999 is to be below; null for a baseline. */
  readonly aimMs: number | null
}

const CONNECTS = 4_000
const FLOODS = 4

/** Ours when idle and under floods, each with the baselines of the same time: what Node can do, and what this machine can. */
export async function measureOvershoot(tell: (what: string) => void): Promise<readonly Figures[]> {
  await using silent = await HostileServer.listen((peer) => peer.silence())
  const parameter = encodeBackend({ type: 'ParameterStatus', name: 'application_name', value: 'x' })
  const segment = Buffer.concat(Array.from({ length: 2_000 }, () => parameter))
  await using flooding = await HostileServer.listen(async (peer) => {
    await approachTrusted(peer)
    await peer.flood(segment)
  })
  const figures: Figures[] = []
  for (const [name, floods, aimMs] of [
    ['idle', 0, 15],
    ['under floods', FLOODS, 50],
  ] as const) {
    tell(`overshoot: ${CONNECTS} connects, ${name}`)
    const task = {
      silentUrl: urlOf(silent),
      floodingUrl: urlOf(flooding),
      connects: CONNECTS,
      timers: CONNECTS,
      floods,
    }
    const [{ ours, baseline, floodsEnded }, elsewhere] = await Promise.all([
      run(task),
      run({ ...task, connects: 0, floods: 0 }),
    ])
    const met = floods === 0 ? '' : ` (${floodsEnded.toLocaleString('en')} of them)`
    figures.push(
      figuresOf(`pg-deadline, ${name}${met}`, ours, aimMs),
      figuresOf("Node's own timer, same process", baseline),
      figuresOf("Node's own timer, a process that does nothing else", elsewhere.baseline),
    )
  }
  return figures
}

function urlOf(server: HostileServer): string {
  return server.url({ sslmode: 'disable' })
}

function figuresOf(title: string, overshootsMs: readonly number[], aimMs: number | null = null): Figures {
  const sorted = overshootsMs.toSorted((a, b) => a - b)
  return {
    title,
    count: sorted.length,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    p999: quantile(sorted, 0.999),
    max: quantile(sorted, 1),
    aimMs,
  }
}

async function run(task: OvershootTask): Promise<OvershootReport> {
  const path = join(import.meta.dirname, 'overshoot-child.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', path, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let report: OvershootReport | null = null
  for await (const line of createInterface({ input: child.stdout })) report = JSON.parse(line)
  if (report === null) throw new Error('overshoot-child.ts ended without a report')
  return report
}

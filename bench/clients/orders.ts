/** What a client can be asked for, and the figures that it answers with. */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Close, Target } from './target.ts'

export type Order =
  /** Connect, first row, close, one after the other; `at`: somewhere else than where the client was born for. */
  | { readonly do: 'cycles'; readonly count: number; readonly at?: Target }
  /** So many rows, again and again, on one connection. */
  | { readonly do: 'rows'; readonly text: string; readonly count: number }
  /** Connect and first row; what is open stays so until it is closed. */
  | { readonly do: 'open' }
  | { readonly do: 'close' }
  /** All at once. */
  | { readonly do: 'storm'; readonly count: number; readonly deadlineMs: number; readonly retry: boolean }
  /** So many a second, evenly, whatever becomes of them. */
  | { readonly do: 'burst'; readonly perSecond: number; readonly durationMs: number; readonly deadlineMs: number }

export type Answer = OpenAnswer | RowsAnswer | CyclesAnswer | StormAnswer | { readonly failed: string }

export interface OpenAnswer {
  readonly tookMs: number
}

export interface RowsAnswer {
  readonly tookMs: readonly number[]
}

export interface CyclesAnswer {
  /** Each from the call until all is closed. */
  readonly tookMs: readonly number[]
  /** Of the process, all threads, all cycles together. */
  readonly cpuMs: number
  /** What was allocated: JavaScript's own heap, and buffers beside it. null: a collection has come between. */
  readonly allocated: { readonly heapBytes: number; readonly bufferBytes: number } | null
}

export interface StormAnswer {
  readonly ends: readonly End[]
  readonly cpuMs: number
  /** From the first call until the last one has settled. */
  readonly tookMs: number
  /** How late the event loop was, p99: where it is late, what is measured is this process, and not the path. */
  readonly loopLagMs: number
}

/** How one connect ended. */
export interface End {
  /** Until it settled, from its call. */
  readonly tookMs: number
  /** null: it succeeded, within the deadline. */
  readonly failure: string | null
  /** Of ours, if it failed: in which state the time went, in milliseconds. */
  readonly states: Readonly<Record<string, number>> | null
}

/** A deadline that is no part of the question. */
const PATIENCE_MS = 60_000

/** Time enough for what is closed to be gone. */
const CALM_MS = 200

export async function perform(client: Client, order: Order): Promise<Answer> {
  switch (order.do) {
    case 'open': {
      const begin = performance.now()
      held = await client.firstRow(PATIENCE_MS)
      return { tookMs: performance.now() - begin }
    }
    case 'close':
      await held?.()
      return { tookMs: 0 }
    case 'cycles':
      return runCycles(client, order.count)
    case 'rows':
      return readRows(client, order.text, order.count)
    case 'storm': {
      const { count, deadlineMs, retry } = order
      return gather(() => Array.from({ length: count }, () => connectOnce(client, deadlineMs, retry)))
    }
    case 'burst':
      return gather(() => burst(client, order))
  }
}

let read: (() => Promise<unknown>) | undefined

async function readRows(client: Client, text: string, count: number): Promise<RowsAnswer> {
  read ??= await client.openReader?.(text)
  const tookMs: number[] = []
  for (let index = 0; index < count; index++) {
    const begin = performance.now()
    await read?.()
    tookMs.push(performance.now() - begin)
  }
  return { tookMs }
}

let held: Close | null = null

async function runCycles(client: Client, count: number): Promise<CyclesAnswer> {
  globalThis.gc?.()
  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  const tookMs: number[] = []
  const cpuBefore = process.cpuUsage()
  const memoryBefore = process.memoryUsage()
  for (let cycle = 0; cycle < count; cycle++) {
    const begin = performance.now()
    const close = await client.firstRow(PATIENCE_MS)
    await close()
    tookMs.push(performance.now() - begin)
  }
  const memory = process.memoryUsage()
  const { user, system } = process.cpuUsage(cpuBefore)
  // Its entries are delivered in a turn of their own.
  await sleep(0)
  observer.disconnect()
  const heapBytes = memory.heapUsed - memoryBefore.heapUsed
  const bufferBytes = memory.external - memoryBefore.external
  return { tookMs, cpuMs: (user + system) / 1_000, allocated: collections > 0 ? null : { heapBytes, bufferBytes } }
}

async function gather(start: () => Promise<End>[] | Promise<Promise<End>[]>): Promise<StormAnswer> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  const ends = await Promise.all(await start())
  const tookMs = performance.now() - startedMs
  const { user, system } = process.cpuUsage(cpuBefore)
  delays.disable()
  await sleep(CALM_MS)
  // The sampling interval is part of what it counts.
  const loopLagMs = Math.max(0, delays.percentile(99) / 1e6 - 1)
  return { ends, cpuMs: (user + system) / 1_000, tookMs, loopLagMs }
}

/** Open loop: who is late with one does not let the next one wait, or the rate would follow the slowest. */
async function burst(client: Client, order: Extract<Order, { do: 'burst' }>): Promise<Promise<End>[]> {
  const { perSecond, durationMs, deadlineMs } = order
  const total = Math.round((perSecond * durationMs) / 1_000)
  const ends: Promise<End>[] = []
  for (const startedMs = performance.now(); ends.length < total; await sleep(1)) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) * perSecond) / 1_000) + 1)
    while (ends.length < due) ends.push(connectOnce(client, deadlineMs, false))
  }
  return ends
}

/** How long to wait before another attempt, where there was no room. */
const RETRY_MS = 50

/**
 * Connect, close at once. With `retry` it is tried again for as long as there is time. Success is to be ready within the deadline,
 * by a clock of our own: what a client itself thinks of its deadline makes no difference.
 */
async function connectOnce(client: Client, deadlineMs: number, retry: boolean): Promise<End> {
  const startedMs = performance.now()
  for (;;) {
    try {
      const remainingMs = deadlineMs - (performance.now() - startedMs)
      const close = await client.connect(remainingMs)
      const tookMs = performance.now() - startedMs
      void close().catch(() => {})
      return { tookMs, failure: tookMs <= deadlineMs ? null : 'late', states: null }
    } catch (error) {
      const tookMs = performance.now() - startedMs
      const failure = nameOf(error)
      if (!retry || tookMs + RETRY_MS >= deadlineMs || !isWorthAnotherTry(error)) {
        return { tookMs, failure, states: statesOf(error) }
      }
      await sleep(RETRY_MS * (0.5 + Math.random()))
    }
  }
}

/** #ERRCODES-TABLE: 53300 is too_many_connections; a server that is overrun may also reset, or close before it speaks. */
function isWorthAnotherTry(error: unknown): boolean {
  return !/deadline|timeout/i.test(nameOf(error))
}

/** By what a program can tell it from others: ours by kind, the SQLSTATE of a server, the code of a system. */
function nameOf(error: unknown): string {
  const { failure, sqlstate, code, message } = error as Record<string, unknown> & { failure?: { kind: string } }
  if (failure !== undefined) return typeof sqlstate === 'string' ? `${failure.kind} ${sqlstate}` : failure.kind
  return String(code ?? message)
}

function statesOf(error: unknown): End['states'] {
  const { timeline } = error as { timeline?: readonly { state: string; enteredMs: number; leftMs: number }[] }
  if (timeline === undefined) return null
  const states: Record<string, number> = {}
  for (const { state, enteredMs, leftMs } of timeline) states[state] = (states[state] ?? 0) + leftMs - enteredMs
  return states
}

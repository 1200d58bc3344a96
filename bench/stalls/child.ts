/**
 * One connect in a process of its own. Its argument is a Task as JSON; it writes one line of JSON when it calls, and one when
 * the call has settled. Then it waits for a moment, for somebody to look at its socket, and leaves the rest to the client:
 * whatever still keeps this process alive is the client's.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeClientId, Target } from './clients.ts'
import { LOADERS } from './connects.ts'
import type { Block } from './places.ts'
import type { Ending } from './verdict.ts'

export interface Task {
  readonly client: NodeClientId
  readonly target: Target
  readonly deadlineMs: number
  readonly block: Block | null
  /** How long it stays after the call has settled. */
  readonly holdMs: number
}

/** What it writes, one a line. */
export type Report =
  | { readonly at: 'call' }
  | { readonly at: 'end'; readonly how: Ending; readonly tookMs: number; readonly text: string }

const task: Task = JSON.parse(process.argv[2] ?? '')
const connect = await LOADERS[task.client]()

write({ at: 'call' })
const startedMs = performance.now()
const { block } = task
if (block !== null) setTimeout(() => blockUntil(startedMs + block.afterMs + block.durationMs), block.afterMs)
try {
  const close = await connect(task.target, task.deadlineMs)
  write({ at: 'end', how: 'connected', tookMs: performance.now() - startedMs, text: '' })
  void close().catch(() => {})
} catch (error) {
  const tookMs = performance.now() - startedMs
  write({ at: 'end', how: isUnsupported(error) ? 'unsupported' : 'rejected', tookMs, text: describe(error) })
}
await sleep(task.holdMs)

/** Nothing else can run in this process meanwhile. */
function blockUntil(momentMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, momentMs - performance.now())
}

/** All by which a program or a person could tell one failure from another. */
function describe(error: unknown): string {
  const { name, code, phase, message } = error as Record<string, unknown>
  return [name, code, phase, message].filter((one) => typeof one === 'string' && one !== '').join(': ')
}

function isUnsupported(error: unknown): boolean {
  return (error as { failure?: { kind: string } }).failure?.kind === 'config'
}

function write(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

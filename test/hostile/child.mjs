/**
 * One connect in a process of its own, with what it cost. Arguments: the built library, a connection URI, the deadline in
 * milliseconds. Writes one line of JSON at the moment of rejection; then nothing of ours may keep the process alive.
 */
import { performance } from 'node:perf_hooks'

const [library, url, timeoutMs] = process.argv.slice(2)
const { connect } = await import(library)

const surprises = []
process.on('unhandledRejection', (reason) => surprises.push(`unhandledRejection: ${reason}`))
process.on('uncaughtException', (error) => surprises.push(`uncaughtException: ${error}`))
process.on('warning', (warning) => surprises.push(`warning: ${warning.message}`))
process.on('exit', () => process.stdout.write(`${JSON.stringify({ surprises })}\n`))

const TICK_MS = 5
const before = measure()
let [blockedMs, rssBytes, heapBytes] = [0, before.rss, before.heapUsed + before.external]
let last = { atMs: performance.now(), cpuMs: cpuMs() }
const ticking = setInterval(look, TICK_MS)
await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS))
look()
blockedMs = 0

const startedMs = performance.now()
const error = await connect(url, { timeoutMs: Number(timeoutMs) }).then(
  () => ({ name: 'no error' }),
  (reason) => reason,
)
const elapsedMs = performance.now() - startedMs
look()
clearInterval(ticking)
const report = {
  kind: error.failure?.kind ?? String(error.name),
  phase: error.phase ?? '',
  elapsedMs,
  blockedMs,
  grownBytes: Math.max(rssBytes - before.rss, 0),
  heapGrownBytes: heapBytes - before.heapUsed - before.external,
  rejectedAt: Date.now(),
}
process.stdout.write(`${JSON.stringify(report)}\n`)

/** How long nothing else could run. On a busy machine a tick is late for lack of a processor, which is not our doing: no
 *  more counts than what this process has computed meanwhile, its threads included. */
function look() {
  const now = { atMs: performance.now(), cpuMs: cpuMs() }
  blockedMs = Math.max(blockedMs, Math.min(now.atMs - last.atMs - TICK_MS, now.cpuMs - last.cpuMs))
  last = now
  const memory = measure()
  rssBytes = Math.max(rssBytes, memory.rss)
  heapBytes = Math.max(heapBytes, memory.heapUsed + memory.external)
}

function measure() {
  return process.memoryUsage()
}

function cpuMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

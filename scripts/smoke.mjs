/**
 * What a user's program does, in plain JavaScript: a session with SCRAM, a connect that is aborted, a connect that runs out
 * of time. Then it falls silent, and nothing may keep the process alive. try-nodes.ts runs it under several versions of Node,
 * in a directory into which the packed package is installed; the server's URI is in SMOKE_URL.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { connect, HandshakeError } from 'pg-deadline'

const { SMOKE_URL = '' } = process.env

// Node opens stderr by itself when it closes a socket, and an open pipe counts as a resource: have it count from the start.
assert.ok(process.stdout && process.stderr)
const resourcesBefore = await resourcesAtRest()

const session = await connect(SMOKE_URL, { timeoutMs: 10_000 })
assert.equal(session.authenticationMethod, 'scram-sha-256')
const [result] = await session.query("select 6 * 7 as answer, null as nothing, 'ü' as text")
assert.deepEqual(result?.rows, [['42', null, 'ü']])
await session.close()

// Accepts, and never says a word.
const silent = createServer((socket) => socket.resume().on('error', () => {}))
await once(silent.listen(0, '127.0.0.1'), 'listening')
const { port } = silent.address()
const silentUrl = `postgres://somebody@127.0.0.1:${port}/somewhere`

const controller = new AbortController()
const reason = new Error('the user has gone home')
silent.once('connection', () => setTimeout(() => controller.abort(reason), 50))
const aborted = await failureOf(connect(silentUrl, { timeoutMs: 10_000, signal: controller.signal }))
assert.equal(aborted.name, 'AbortError')
assert.equal(aborted.cause, reason)
assert.match(aborted.phase, /^Awaiting/)

const startedMs = performance.now()
const late = await failureOf(connect(silentUrl, { timeoutMs: 250 }))
const tookMs = performance.now() - startedMs
assert.equal(late.name, 'TimeoutError')
assert.match(late.phase, /^Awaiting/)
assert.ok(tookMs >= 249 && tookMs < 3_000, `a deadline of 250 ms expired after ${tookMs} ms`)

// A server is closed when its last connection is: here, when both connects have let go of theirs.
silent.close()
await once(silent, 'close')
assert.deepEqual(await resourcesAtRest(), resourcesBefore)
// Not by process.exit(): whoever waits for this line waits for an event loop that is empty.
process.once('exit', (code) => {
  if (code === 0) writeSync(1, `${process.version} ${aborted.phase} ${late.phase} ${Math.round(tookMs)}\n`)
})

async function failureOf(connecting) {
  const error = await connecting.then(
    () => null,
    (reason) => reason,
  )
  assert.ok(error instanceof HandshakeError, `expected a HandshakeError, got ${error}`)
  return error
}

/** What is being closed in this turn of the event loop is gone in the next. */
async function resourcesAtRest() {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  return process.getActiveResourcesInfo()
}

/**
 * Every attack that needs no TLS, in memory and with a clock that stands still: what is not mere silence must end without
 * any time passing, and silence exactly at the deadline.
 */
import { describe, expect, it } from 'vitest'
import { ATTACKS, type Attack, BASE, ClientGone, Peer } from '../../src/testing/index.ts'
import { lawful } from '../support/scripted-server.ts'
import { settle } from '../support/virtual-clock.ts'
import { worldOf } from '../support/world.ts'
import { failureOf } from './failure.ts'
import { MemoryLine } from './memory-line.ts'

const TIMEOUT_MS = 1_000
const STEP_MS = 10
/** How often everything that can go on does so, before a connect counts as waiting. */
const TURNS = 50

/** The server itself takes its time here: a reset would otherwise destroy what the client has not read yet. */
const TAKES_TIME = new Set(['authentication/reset-in-awaitingready'])

describe('while the clock stands still', () => {
  for (const attack of ATTACKS.filter(({ id }) => !id.startsWith('tls/') && !TAKES_TIME.has(id))) {
    it(`${attack.id} ends ${attack.verdict.when}`, () => endInTime(attack))
  }
})

async function endInTime({ script, target, verdict, sent }: Attack): Promise<void> {
  const line = new MemoryLine()
  const world = worldOf(lawful(), { dial: async () => line.transport })
  const startedMs = world.clock.now()
  const { password, ...parameters } = { ...BASE, ...target }
  const secret = password === '' ? '' : `:${password}`
  const url = `postgres://alice${secret}@db.example/app?${new URLSearchParams(parameters)}`.replace('user=alice&', '')

  let settled = false
  const connecting = failureOf(world.connect({ timeoutMs: TIMEOUT_MS }, url)).finally(() => {
    settled = true
  })
  const serving = script(new Peer(line, world.clock)).catch((error: unknown) => {
    if (!(error instanceof ClientGone)) throw error
  })
  for (let turn = 0; turn < TURNS && !settled; turn += 1) await settle()
  while (verdict.when === 'deadline' && !settled && world.clock.now() - startedMs < 2 * TIMEOUT_MS) {
    world.clock.advance(STEP_MS)
    await settle()
  }
  expect(settled).toBe(true)
  const { failure, phase } = await connecting
  expect({ kind: failure.kind, phase }).toEqual({ kind: verdict.kind, phase: verdict.phase })
  expect(world.clock.now() - startedMs).toBe(verdict.when === 'at once' ? 0 : TIMEOUT_MS)
  await serving
  expect(line.isClosed).toBe(true)
  expect(world.clock.activeTimers).toBe(0)
  expect(line.receivedInClear.includes(BASE['password'] ?? '')).toBe(false)
  expect(sent.length === 0).toBe(line.receivedInClear.length === 0)
}

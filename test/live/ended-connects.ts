/** What tests of connects that are ended at any moment share: moments that can be had again, and what may come of a connect. */
import { expect } from 'vitest'
import { type ConnectTarget, connect, HandshakeError, Session } from '../../src/index.ts'
import { TABLE } from '../../src/state/handshake/table.ts'

/** Numbers from 0 to 1, always the same ones for a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` times `act`, so many at a time. */
export async function inLanes(lanes: number, count: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) await act(next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** How long a connect takes where nobody ends it, with so many at a time; of `count` of them. */
export async function medianConnectMs(target: string | ConnectTarget, lanes: number, count = 24): Promise<number> {
  const durations: number[] = []
  await inLanes(lanes, count, async () => {
    await using session = await connect(target)
    durations.push(session.timeline.at(-1)?.leftMs ?? 0)
  })
  return durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)] ?? 0
}

/** The session, or the failure in a named state. Anything else is thrown on. */
export async function outcomeOf(connecting: Promise<Session>): Promise<Session | HandshakeError> {
  const outcome = await connecting.catch((error: unknown) => error)
  if (outcome instanceof Session) return outcome
  if (!(outcome instanceof HandshakeError)) throw outcome
  expect(Object.keys(TABLE)).toContain(outcome.phase)
  return outcome
}

/**
 * The machine as a whole: every state with every event, and walks of any events from the beginning. What each cell does
 * is tested where the table is.
 */
import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'
import type { Effect, Event, EventName } from '../../src/state/handshake/events.ts'
import { begin, nextMove } from '../../src/state/handshake/policy.ts'
import type { Attempt, State } from '../../src/state/handshake/states.ts'
import { type StateName, TABLE } from '../../src/state/handshake/table.ts'
import { handshake } from '../../src/state/handshake/transitions.ts'
import { isEnd } from '../../src/state/machine.ts'
import { ATTEMPT, EVENTS, STATES, stateFor } from '../state/handshake/examples.ts'
import { propertyOptions } from './runs.ts'

const { signal } = new AbortController()
const stateNames = Object.keys(TABLE) as StateName[]
const eventNames = Object.keys(EVENTS) as EventName[]
const pairs = stateNames.flatMap((state) => eventNames.map((event) => [stateFor(state, event), EVENTS[event]] as const))

it('machine-01: complete: every event in every state leads to a state of the table, and nothing is thrown', () => {
  for (const [state, event] of pairs) {
    const step = handshake.receive(state, event, signal)
    expect(stateNames).toContain(step.state.name)
  }
  expect(pairs).toHaveLength(stateNames.length * eventNames.length)
})

it('machine-02: deterministic: the same state and event give the same step, and neither is changed', () => {
  for (const [state, event] of pairs) {
    const before = inspect([state, event], { depth: 10 })
    const step = handshake.receive(state, event, signal)
    expect(isDeepStrictEqual(handshake.receive(state, event, signal), step)).toBe(true)
    expect(inspect([state, event], { depth: 10 })).toBe(before)
  }
})

it('machine-03: absorbing: what has failed stays as it is, and what has ended becomes nothing but a failure', () => {
  for (const name of stateNames.filter((one) => isEnd(TABLE, one))) {
    for (const event of Object.values(EVENTS)) {
      const step = handshake.receive(STATES[name], event, signal)
      expect(step.effects).toEqual([])
      if (name === 'Failed') expect(step.state).toBe(STATES.Failed)
      else expect(step.state).toMatchObject({ name: 'Failed', phase: name })
    }
  }
})

it('machine-04: reachable: lawful events lead from the beginning to every state', () => {
  const attempts: Attempt[] = [
    ATTEMPT,
    { ...ATTEMPT, encryption: 'off', needsLookup: false },
    { ...ATTEMPT, encryption: 'off', cancelKey: { processId: 1, secretKey: Buffer.alloc(4) } },
  ]
  const seen = new Map<StateName, State>()
  const explore = (state: State): void => {
    if (seen.has(state.name)) return
    seen.set(state.name, state)
    for (const event of eventNames) explore(handshake.receive(state, lawfulFor(state, EVENTS[event]), signal).state)
  }
  for (const attempt of attempts) {
    seen.delete('Disconnected')
    seen.delete('Dialing')
    seen.delete('Connected')
    explore(begin(attempt))
  }
  expect([...seen.keys()].sort()).toEqual([...stateNames].sort())
})

it('machine-05: an aborted signal lets nothing happen, whatever the state and the event', () => {
  const reason = new Error('too late')
  const aborted = AbortSignal.abort(reason)
  for (const [state, event] of pairs) expect(() => handshake.receive(state, event, aborted)).toThrow(reason)
})

it('machine-06: a failure names the state in which it was met, and asks for nothing more', () => {
  for (const [state, event] of pairs) {
    const { state: next, effects } = handshake.receive(state, event, signal)
    if (next.name !== 'Failed' || state.name === 'Failed') continue
    expect({ phase: next.phase, effects }).toEqual({ phase: state.name, effects: [] })
  }
})

/** Any events at all, ours among them, with every effect noted. */
function walk(attempt: Attempt, events: readonly Event[]): { effects: readonly Effect[]; states: readonly State[] } {
  let state: State = begin(attempt)
  const effects: Effect[] = []
  const states: State[] = [state]
  for (const event of events) {
    const step = handshake.receive(state, lawfulFor(state, nextMove(state) ?? event), signal)
    state = step.state
    states.push(state)
    effects.push(...step.effects)
  }
  return { effects, states }
}

/** What SCRAM says depends on what it was told: the examples' own exchange. */
function lawfulFor(state: State, event: Event): Event {
  if (state.name !== 'AwaitingSaslOutcome' || event.type !== 'AuthenticationSASLFinal') return event
  return { ...event, data: Buffer.from(`v=${Buffer.from(state.serverSignature).toString('base64')}`) }
}

const attempts = fc
  .record({
    needsLookup: fc.boolean(),
    encryption: fc.constantFrom('off' as const, 'preferred' as const, 'required' as const),
    directTls: fc.boolean(),
    hasPassword: fc.constantFrom(true, true, false),
    allowCleartextPassword: fc.boolean(),
  })
  .map((some) => ({ ...ATTEMPT, ...some }))

/** Mostly what leads on, or few walks would come anywhere. */
const walks = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 50 }).map((choice) => ({ choice })) },
    { weight: 1, arbitrary: fc.constantFrom(...eventNames).map((event) => ({ event })) },
  ),
  { maxLength: 40 },
)

function follow(attempt: Attempt, choices: readonly ({ choice: number } | { event: EventName })[]) {
  let state: State = begin(attempt)
  const events: Event[] = []
  for (const one of choices) {
    const row = Object.keys(TABLE[state.name]) as EventName[]
    const name = 'event' in one ? one.event : row[one.choice % Math.max(1, row.length)]
    if (name === undefined) break
    const event = lawfulFor(state, nextMove(state) ?? EVENTS[name])
    events.push(event)
    state = handshake.receive(state, event, signal).state
  }
  return walk(attempt, events)
}

function count(effects: readonly Effect[], ...types: readonly string[]): number {
  return effects.filter((effect) => effect.do === 'send' && types.includes(effect.message.type)).length
}

it('machine-07: one StartupMessage at most in an attempt, whatever comes in whatever order', () => {
  let most = 0
  fc.assert(
    fc.property(attempts, walks, (attempt, choices) => {
      const startups = count(follow(attempt, choices).effects, 'StartupMessage')
      most = Math.max(most, startups)
      return startups <= 1
    }),
    propertyOptions(3_000),
  )
  expect(most).toBe(1)
})

it('machine-08: one proof at most in an attempt: a password, a hash of it, or a proof of SCRAM', () => {
  let most = 0
  fc.assert(
    fc.property(attempts, walks, (attempt, choices) => {
      const proofs = count(follow(attempt, choices).effects, 'PasswordMessage', 'SASLResponse')
      most = Math.max(most, proofs)
      return proofs <= 1
    }),
    propertyOptions(3_000),
  )
  expect(most).toBe(1)
})

it('machine-09: the password is in no state: it comes with an event and leaves with an effect', () => {
  const holdsSecret = (value: unknown): boolean =>
    value instanceof Secret || (typeof value === 'object' && value !== null && Object.values(value).some(holdsSecret))
  let came = 0
  fc.assert(
    fc.property(attempts, walks, (attempt, choices) => {
      const { effects, states } = follow(attempt, choices)
      came += count(effects, 'PasswordMessage', 'SASLResponse')
      return !states.some(holdsSecret)
    }),
    propertyOptions(1_000),
  )
  expect(came).toBeGreaterThan(0)
})

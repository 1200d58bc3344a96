import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { AUTHENTICATION_MESSAGES } from '../../../src/protocol/authentication.ts'
import { BACKEND_MESSAGES } from '../../../src/protocol/backend.ts'
import type { EventName } from '../../../src/state/handshake/events.ts'
import type { State } from '../../../src/state/handshake/states.ts'
import { AWAITED, EVERYWHERE, type StateName, TABLE } from '../../../src/state/handshake/table.ts'
import { handshake } from '../../../src/state/handshake/transitions.ts'
import { isEnd } from '../../../src/state/machine.ts'
import { EVENTS, STATES, stateFor } from './examples.ts'

const signal = new AbortController().signal
const stateNames = Object.keys(TABLE) as StateName[]
const eventNames = Object.keys(EVENTS) as EventName[]
const pairs = stateNames.flatMap((state) => eventNames.map((event) => [state, event] as const))

/** Where the table says that an event leads, or null if it is unlawful. */
function target(stateName: StateName, eventName: EventName): string | null {
  const row: Readonly<Record<string, string>> = TABLE[stateName]
  if (row[eventName] !== undefined) return row[eventName]
  if (isEnd(TABLE, stateName)) return null
  if (eventName === 'NoticeResponse') return 'greeting' in STATES[stateName] ? stateName : null
  return eventName in EVERYWHERE ? 'Failed' : null
}

describe('the table of the handshake', () => {
  it('knows every message that a server can send as an event', () => {
    const messages = [...BACKEND_MESSAGES, ...AUTHENTICATION_MESSAGES].map(({ name }) => name)
    expect(eventNames).toEqual(expect.arrayContaining(messages))
  })

  it.each(pairs)('%s, %s', (stateName, eventName) => {
    const state: State = stateFor(stateName, eventName)
    const { state: next, effects } = handshake.receive(state, EVENTS[eventName], signal)
    const expected = target(stateName, eventName)

    if (expected !== null && expected !== 'Failed') {
      expect(next.name).toBe(expected)
      return
    }
    expect(next.name).toBe('Failed')
    expect(effects).toEqual([])
    if (next.name !== 'Failed') return
    if (stateName === 'Failed') expect(next).toBe(state)
    else if (expected === null) {
      expect(next.phase).toBe(stateName)
      expect(next.failure).toMatchObject({ kind: 'misbehaved', received: eventName })
    } else {
      expect(next.phase).toBe(stateName)
      expect(next.failure.kind).not.toBe('misbehaved')
    }
  })

  it.each(pairs)('%s, %s: takes no step once the signal is aborted', (stateName, eventName) => {
    const reason = new Error('too late')
    const aborted = AbortSignal.abort(reason)
    let result: unknown
    expect(() => {
      result = handshake.receive(STATES[stateName], EVENTS[eventName], aborted)
    }).toThrow(reason)
    expect(() => {
      result = (handshake.step as (...all: unknown[]) => unknown)(STATES[stateName], EVENTS[eventName], aborted)
    }).toThrow(reason)
    expect(result).toBeUndefined()
  })

  it.each(pairs)('%s, %s: changes nothing in the state or the event it was given', (stateName, eventName) => {
    const before = inspect([STATES[stateName], EVENTS[eventName]], { depth: 10 })
    handshake.receive(STATES[stateName], EVENTS[eventName], signal)
    expect(inspect([STATES[stateName], EVENTS[eventName]], { depth: 10 })).toBe(before)
  })

  it('says what was expected when something else comes', () => {
    const { state } = handshake.receive(STATES.AwaitingSaslOutcome, EVENTS.AuthenticationOk, signal)
    expect(state).toEqual({
      name: 'Failed',
      phase: 'AwaitingSaslOutcome',
      failure: { kind: 'misbehaved', expected: ['AuthenticationSASLFinal'], received: 'AuthenticationOk' },
    })
  })

  it('is reachable as a whole from Disconnected, and every state can still end', () => {
    const arrows: Readonly<Record<string, Readonly<Record<string, string>>>> = TABLE
    const reach = (from: string, seen = new Set<string>()): Set<string> => {
      if (seen.has(from)) return seen
      seen.add(from)
      for (const to of Object.values(arrows[from] ?? {})) reach(to, seen)
      return seen
    }
    expect([...reach('Disconnected')].sort()).toEqual([...stateNames].sort())
    for (const name of stateNames) {
      if (isEnd(TABLE, name)) continue
      expect(reach(name).has(name === 'AwaitingCancelClose' ? 'Cancelled' : 'Ready')).toBe(true)
    }
  })

  it('says in words what each state waits for, or that it waits for nobody', () => {
    const waiting = stateNames.filter((name) => AWAITED[name] !== null)
    expect(waiting).toEqual([
      'ResolvingHost',
      'Dialing',
      'AwaitingTlsReply',
      'SecuringTransport',
      'AwaitingAuthentication',
      'AwaitingSaslOffer',
      'AwaitingPassword',
      'AwaitingSaslChallenge',
      'AwaitingSaslPassword',
      'DerivingSaslKey',
      'AwaitingSaslOutcome',
      'AwaitingVerdict',
      'AwaitingReady',
      'AwaitingSessionCheck',
      'AwaitingCancelClose',
    ])
  })

  it('refuses, in step, an arrow that only a cast can ask for', () => {
    const step = handshake.step as (...all: unknown[]) => unknown
    expect(() => step(STATES.Ready, EVENTS.Dial, signal)).toThrow(TypeError)
    expect(() => step(STATES.Ready, { type: 'toString' }, signal)).toThrow(TypeError)
    expect(() => step({ name: 'nowhere' }, EVENTS.Dial, signal)).toThrow(TypeError)
    expect(handshake.receive({ name: 'nowhere' } as never, EVENTS.Dial, signal).state).toMatchObject({
      failure: { kind: 'misbehaved', expected: [] },
    })
  })

  it('does not take an event for lawful because objects inherit its name', () => {
    const { state } = handshake.receive(STATES.AwaitingReady, { type: 'toString' } as never, signal)
    expect(state).toMatchObject({ name: 'Failed', failure: { kind: 'misbehaved', received: 'toString' } })
  })

  it('lets through what is no Fault: a defect of ours must not pass for one of the server', () => {
    const event = { type: 'ParameterStatus' } as never
    expect(() => handshake.receive(STATES.AwaitingReady, event, signal)).toThrow(TypeError)
  })
})

import { describe, expect, it } from 'vitest'
import type { SessionEvent, SessionEventOf, SessionState } from '../../../src/state/session/states.ts'
import {
  SESSION_AWAITED,
  SESSION_EVERYWHERE,
  SESSION_TABLE,
  type SessionStateName,
} from '../../../src/state/session/table.ts'
import { session } from '../../../src/state/session/transitions.ts'
import { EVENTS as HANDSHAKE_EVENTS } from '../handshake/examples.ts'

const signal = new AbortController().signal

const STATES: { readonly [S in SessionStateName]: Extract<SessionState, { name: S }> } = {
  Idle: { name: 'Idle', transactionStatus: 'I' },
  AwaitingResponse: { name: 'AwaitingResponse', hasBegun: true },
  ReadingRows: { name: 'ReadingRows', columnCount: 2 },
  CopyingOut: { name: 'CopyingOut' },
  RefusingCopyIn: { name: 'RefusingCopyIn' },
  AwaitingEndOfQuery: { name: 'AwaitingEndOfQuery' },
  Terminating: { name: 'Terminating' },
  Closed: { name: 'Closed' },
  Failed: { name: 'Failed', phase: 'Idle', failure: { kind: 'lost', code: 'FIN', detail: 'end of stream' } },
}

const refusal = (severity: string): SessionEventOf<'ErrorResponse'> => ({
  type: 'ErrorResponse',
  fields: [
    { code: 'V', value: severity },
    { code: 'C', value: '22012' },
  ],
})

const { Dial, TransportOpened, SendStartup, SaslKeyDerived, ...fromServer } = HANDSHAKE_EVENTS
const EVENTS: Readonly<Record<SessionEvent['type'], SessionEvent>> = {
  ...fromServer,
  DataRow: { type: 'DataRow', values: ['1', null] },
  ErrorResponse: refusal('ERROR'),
  SendQuery: { type: 'SendQuery', text: 'select 1' },
  SendTerminate: { type: 'SendTerminate' },
}

const stateNames = Object.keys(SESSION_TABLE) as SessionStateName[]
const pairs = stateNames.flatMap((state) => Object.values(EVENTS).map((event) => [state, event] as const))

describe('the table of the session', () => {
  it.each(pairs)('$0, $1.type', (stateName, event) => {
    const row: Readonly<Record<string, string>> = SESSION_TABLE[stateName]
    const end = Object.keys(row).length === 0
    const everywhere: Readonly<Record<string, string>> = SESSION_EVERYWHERE
    const expected = row[event.type] ?? (end ? undefined : everywhere[event.type])
    const { state, effects } = session.receive(STATES[stateName], event, signal)

    if (expected === undefined) {
      expect(state.name).toBe('Failed')
      expect(effects).toEqual([])
      if (stateName === 'Failed') expect(state).toBe(STATES.Failed)
      else expect(state).toMatchObject({ phase: stateName, failure: { kind: 'misbehaved', received: event.type } })
    } else expect(state.name).toBe(expected === 'the same state' ? stateName : expected)
  })

  it.each(pairs)('$0, $1.type: takes no step once the signal is aborted', (stateName, event) => {
    const reason = new Error('too late')
    expect(() => session.receive(STATES[stateName], event, AbortSignal.abort(reason))).toThrow(reason)
  })

  it.each(['AwaitingResponse', 'ReadingRows', 'CopyingOut', 'RefusingCopyIn', 'AwaitingEndOfQuery'] as const)(
    'in %s an error waits for ReadyForQuery, a FATAL ends the session',
    (name) => {
      // Translated, as a server before 9.6 or a pooler may send it, and without any severity at all.
      for (const severity of ['ERROR', 'FEHLER', '']) {
        const { state, effects } = session.receive(STATES[name], refusal(severity), signal)
        expect(state).toEqual({ name: 'AwaitingEndOfQuery' })
        expect(effects).toMatchObject([{ do: 'reportError', failure: { kind: 'refused', sqlstate: '22012' } }])
      }
      for (const severity of ['FATAL', 'PANIC']) {
        expect(session.receive(STATES[name], refusal(severity), signal).state).toMatchObject({
          name: 'Failed',
          phase: name,
          failure: { kind: 'refused', severity },
        })
      }
    },
  )

  it('keeps an error that nobody asked for among the notices, unless it is FATAL', () => {
    const { state, effects } = session.receive(STATES.Idle, refusal('ERROR'), signal)
    expect(state).toBe(STATES.Idle)
    expect(effects).toMatchObject([{ do: 'reportNotice', report: { sqlstate: '22012' } }])
    expect(session.receive(STATES.Idle, refusal('FATAL'), signal).state).toMatchObject({
      name: 'Failed',
      phase: 'Idle',
    })
  })

  it.each(['Idle', 'ReadingRows'] as const)('in %s the end of UTF-8 is the end of the session', (name) => {
    const event: SessionEvent = { type: 'ParameterStatus', name: 'client_encoding', value: 'LATIN1' }
    expect(session.receive(STATES[name], event, signal).state).toMatchObject({
      name: 'Failed',
      failure: { kind: 'incompatible', what: 'client_encoding' },
    })
  })

  it('refuses a row that is not as long as it was announced', () => {
    const event: SessionEvent = { type: 'DataRow', values: ['1'] }
    expect(session.receive(STATES.ReadingRows, event, signal).state).toMatchObject({
      name: 'Failed',
      failure: { kind: 'misbehaved', expected: ['a DataRow of 2 values, as RowDescription said'] },
    })
  })

  it('refuses a ReadyForQuery before anything that responds to the query: it is left over from before', () => {
    const asked = session.receive(STATES.Idle, EVENTS.SendQuery, signal).state
    expect(session.receive(asked, EVENTS.ReadyForQuery, signal).state).toMatchObject({
      name: 'Failed',
      phase: 'AwaitingResponse',
      failure: { kind: 'misbehaved', expected: ['a response to the query before ReadyForQuery'] },
    })
    for (const type of ['CommandComplete', 'EmptyQueryResponse'] as const) {
      const { state } = session.receive(asked, EVENTS[type], signal)
      expect(session.receive(state, EVENTS.ReadyForQuery, signal).state).toMatchObject({ name: 'Idle' })
    }
  })

  it('asks for what has to be done', () => {
    const effects = (name: SessionStateName, type: SessionEvent['type']) =>
      session.receive(STATES[name], EVENTS[type], signal).effects
    expect(effects('Idle', 'SendQuery')).toEqual([{ do: 'send', message: { type: 'Query', query: 'select 1' } }])
    expect(effects('Idle', 'SendTerminate')).toEqual([{ do: 'send', message: { type: 'Terminate' } }])
    expect(effects('AwaitingResponse', 'CopyInResponse')).toMatchObject([{ do: 'send', message: { type: 'CopyFail' } }])
    expect(effects('AwaitingResponse', 'RowDescription')).toMatchObject([
      { do: 'describe', columns: [{ name: 'pg_is_in_recovery' }] },
    ])
    expect(effects('AwaitingResponse', 'EmptyQueryResponse')).toEqual([{ do: 'completeResult', commandTag: '' }])
    expect(effects('ReadingRows', 'DataRow')).toEqual([{ do: 'addRow', values: ['1', null] }])
    expect(effects('ReadingRows', 'CommandComplete')).toEqual([{ do: 'completeResult', commandTag: 'SELECT 1' }])
    expect(effects('CopyingOut', 'CopyData')).toMatchObject([{ do: 'addCopyData' }])
    expect(effects('AwaitingEndOfQuery', 'ReadyForQuery')).toEqual([{ do: 'settleQuery' }])
    expect(effects('Idle', 'ParameterStatus')).toEqual([{ do: 'setParameter', name: 'server_version', value: '18.4' }])
    expect(effects('Idle', 'NoticeResponse')).toMatchObject([{ do: 'reportNotice' }])
    expect(effects('Idle', 'NotificationResponse')).toEqual([])
  })

  it('says in words what each state waits for, or that it waits for nobody', () => {
    const idle = stateNames.filter((name) => SESSION_AWAITED[name] === null)
    expect(idle).toEqual(['Idle', 'Closed', 'Failed'])
  })
})

import { describe, expect, it } from 'vitest'
import type { Event } from '../../../src/state/handshake/events.ts'
import { findMismatch, questionFor, type SessionWanted } from '../../../src/state/handshake/session-wanted.ts'
import type { State, StateOf } from '../../../src/state/handshake/states.ts'
import { handshake } from '../../../src/state/handshake/transitions.ts'
import { EVENTS, greeted, STATES } from './examples.ts'

const signal = new AbortController().signal
const WANTED: readonly SessionWanted[] = ['any', 'read-write', 'read-only', 'primary', 'standby']

/** What a server of PostgreSQL 14 and later reports: [in_hot_standby, default_transaction_read_only]. */
const reported = (inHotStandby: string, readOnly: string) =>
  [
    ['in_hot_standby', inHotStandby],
    ['default_transaction_read_only', readOnly],
  ] as const

describe('target_session_attrs', () => {
  // #LIBPQ-CONNECT-TARGET-SESSION-ATTRS
  it.each([
    ['a primary', reported('off', 'off'), ['any', 'read-write', 'primary']],
    ['a primary that is read-only by default', reported('off', 'on'), ['any', 'read-only', 'primary']],
    ['a standby', reported('on', 'off'), ['any', 'read-only', 'standby']],
    ['a standby that is read-only by default', reported('on', 'on'), ['any', 'read-only', 'standby']],
  ] as const)('finds that %s suits by what it reports', (_what, parameters, suited) => {
    expect(WANTED.filter((wanted) => questionFor(wanted, parameters) === null)).toEqual(WANTED)
    expect(WANTED.filter((wanted) => findMismatch(wanted, parameters, null) === null)).toEqual(suited)
  })

  it('asks a server that does not report, with the questions of libpq', () => {
    expect(WANTED.map((wanted) => questionFor(wanted, []))).toEqual([
      null,
      'SHOW transaction_read_only',
      'SHOW transaction_read_only',
      'SELECT pg_catalog.pg_is_in_recovery()',
      'SELECT pg_catalog.pg_is_in_recovery()',
    ])
    for (const name of ['in_hot_standby', 'default_transaction_read_only']) {
      expect(questionFor('read-write', [[name, 'off']])).toBe('SHOW transaction_read_only')
    }
  })

  it.each([
    ['on', ['read-only']],
    ['off', ['read-write']],
  ])('believes the answer %s to SHOW', (answer, suited) => {
    const asked = WANTED.filter((wanted) => questionFor(wanted, [])?.startsWith('SHOW'))
    expect(asked.filter((wanted) => findMismatch(wanted, [], answer) === null)).toEqual(suited)
  })

  it.each([
    ['t', ['standby']],
    ['f', ['primary']],
  ])('believes the answer %s to SELECT', (answer, suited) => {
    const asked = WANTED.filter((wanted) => questionFor(wanted, [])?.startsWith('SELECT'))
    expect(asked.filter((wanted) => findMismatch(wanted, [], answer) === null)).toEqual(suited)
  })

  it('lets a later report replace an earlier one', () => {
    const parameters = [...reported('on', 'off'), ...reported('off', 'off')]
    expect(findMismatch('primary', parameters, null)).toBeNull()
  })

  it('says what the server is instead', () => {
    const said = WANTED.slice(1).map((wanted) => findMismatch(wanted, reported('on', 'off'), null))
    expect(said).toEqual(['a session that is read-only', null, 'a server in hot standby', null])
    const other = WANTED.slice(1).map((wanted) => findMismatch(wanted, reported('off', 'off'), null))
    expect(other).toEqual([null, 'a session that can write', null, 'a server that is not in hot standby'])
  })
})

describe('the session check', () => {
  const play = (state: State, ...events: Event[]) =>
    events.reduce((now, event) => handshake.receive(now, event, signal).state, state)
  const candidate = (changes: Partial<StateOf<'CheckingSession'>>) =>
    ({ ...STATES.CheckingSession, answer: null, ...changes }) as const
  const asked = STATES.AwaitingSessionCheck
  const { RowDescription, DataRow, CommandComplete, ReadyForQuery } = EVENTS

  it('sends one query, takes its one value, and decides', () => {
    const asking = handshake.step(candidate({}), { type: 'AskSession', question: 'SELECT 1' }, signal)
    expect(asking.effects).toEqual([{ do: 'send', message: { type: 'Query', query: 'SELECT 1' } }])
    const answered = play(asking.state, RowDescription, DataRow, CommandComplete, {
      type: 'ReadyForQuery',
      status: 'T',
    })
    expect(answered).toMatchObject({ name: 'CheckingSession', answer: 'f', transactionStatus: 'T' })
    expect(play(answered, EVENTS.AcceptSession)).toMatchObject({ name: 'Ready', transactionStatus: 'T' })
  })

  // SHOW writes a boolean as on and off, a function as t and f.
  it.each(['on', 'off', 't', 'f'])('takes %s for an answer', (word) => {
    const row = { type: 'DataRow', values: [Buffer.from(word)] } as const
    expect(play(asked, RowDescription, row)).toMatchObject({ name: 'AwaitingSessionCheck', answer: word })
  })

  it('ends in incompatible at the wrong kind of server, and says what it is', () => {
    expect(play(greeted(candidate({ answer: 'f' }), { sessionWanted: 'standby' }), EVENTS.AcceptSession)).toEqual({
      name: 'Failed',
      phase: 'CheckingSession',
      failure: {
        kind: 'incompatible',
        what: 'target_session_attrs',
        offered: ['a server that is not in hot standby'],
        supported: ['standby'],
      },
    })
  })

  it('takes parameters and notifications that come meanwhile', () => {
    const parameter = { type: 'ParameterStatus', name: 'TimeZone', value: 'UTC' } as const
    expect(play(asked, RowDescription, parameter, EVENTS.NotificationResponse, DataRow)).toMatchObject({
      parameters: [['TimeZone', 'UTC']],
      notifications: 1,
      answer: 'f',
    })
  })

  // #PROTOCOL-ASYNC: ParameterStatus is the current value, whenever it changes.
  it.each([
    ['a report after the row', 'primary', ['in_hot_standby'], 't', ['in_hot_standby', 'off'], null],
    ['a report that leaves something open', 'read-write', [], 'off', ['in_hot_standby', 'off'], 'off'],
    [
      'the last report that was missing',
      'read-write',
      ['in_hot_standby'],
      'on',
      ['default_transaction_read_only', 'off'],
      null,
    ],
    ['a report of something else', 'primary', ['in_hot_standby'], 't', ['TimeZone', 'UTC'], 't'],
    [
      'a report of what others want to know',
      'primary',
      ['in_hot_standby'],
      't',
      ['default_transaction_read_only', 'off'],
      't',
    ],
  ] as const)(
    'lets %s replace the answer if it decides',
    (_what, sessionWanted, known, answer, [name, value], kept) => {
      const parameters = known.map((one) => [one, 'on'] as const)
      const answered = { ...greeted(asked, { sessionWanted }), parameters, heard: 'DataRow', answer } as const
      expect(play(answered, { type: 'ParameterStatus', name, value })).toMatchObject({ answer: kept })
    },
  )

  it('lets the row replace a report that came before it', () => {
    const report = { type: 'ParameterStatus', name: 'in_hot_standby', value: 'on' } as const
    const primary = greeted(asked, { sessionWanted: 'primary' })
    expect(play(primary, report, RowDescription, DataRow)).toMatchObject({ answer: 'f' })
  })

  it('ends by the latest that the server has said', () => {
    const promoted = { type: 'ParameterStatus', name: 'in_hot_standby', value: 'off' } as const
    const row = { type: 'DataRow', values: [Buffer.from('t')] } as const
    const wants = (sessionWanted: SessionWanted) =>
      play(
        { ...greeted(asked, { sessionWanted }), parameters: [] },
        ...[RowDescription, row, CommandComplete, promoted, ReadyForQuery, EVENTS.AcceptSession],
      ).name
    expect([wants('primary'), wants('standby')]).toEqual(['Ready', 'Failed'])
  })

  it.each([
    ['a row before its description', [DataRow], 'RowDescription'],
    ['a second description', [RowDescription, RowDescription], 'DataRow'],
    ['a second row', [RowDescription, DataRow, DataRow], 'CommandComplete'],
    ['an end before the row', [RowDescription, CommandComplete], 'DataRow'],
    ['readiness before the end', [RowDescription, DataRow, ReadyForQuery], 'CommandComplete'],
    ['an end twice', [RowDescription, DataRow, CommandComplete, CommandComplete], 'ReadyForQuery'],
  ])('refuses %s', (_what, events, expected) => {
    expect(play(asked, ...events)).toMatchObject({ failure: { kind: 'misbehaved', expected: [expected] } })
  })

  it.each([
    ['two columns', [{ ...RowDescription, columns: [...RowDescription.columns, ...RowDescription.columns] }]],
    ['no column', [{ ...RowDescription, columns: [] }]],
    ['two values', [RowDescription, { type: 'DataRow', values: [Buffer.from('f'), Buffer.from('f')] }]],
    ['NULL', [RowDescription, { type: 'DataRow', values: [null] }]],
    ['another word', [RowDescription, { type: 'DataRow', values: [Buffer.from('false')] }]],
  ] as const)('refuses an answer of %s', (_what, events) => {
    expect(play(asked, ...events)).toMatchObject({
      phase: 'AwaitingSessionCheck',
      failure: { kind: 'misbehaved', expected: [expect.stringContaining('in answer to the session check')] },
    })
  })
})

describe('a cancel request', () => {
  it('is sent with its key, and done when the server closes the connection', () => {
    const { state, effects } = handshake.step(STATES.Connected, EVENTS.SendCancel, signal)
    expect(effects).toEqual([
      { do: 'send', message: { type: 'CancelRequest', processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) } },
    ])
    expect(handshake.receive(state, EVENTS.TransportLost, signal).state).toEqual({ name: 'Cancelled' })
  })

  it('is not known to be done if the connection broke', () => {
    const event = { type: 'TransportLost', code: 'ECONNRESET', detail: 'read ECONNRESET' } as const
    expect(handshake.receive(STATES.AwaitingCancelClose, event, signal).state).toEqual({
      name: 'Failed',
      phase: 'AwaitingCancelClose',
      failure: { kind: 'lost', code: 'ECONNRESET', detail: 'read ECONNRESET' },
    })
  })
})

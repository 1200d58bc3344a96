/**
 * One function per cell of the session's table. `session.step` and `session.receive` are how they are reached.
 *
 * Manual: #PROTOCOL-FLOW-SIMPLE-QUERY.
 */
import { type Failure, Fault } from '../../protocol/failure.ts'
import { readReport } from '../../protocol/response-fields.ts'
import { checkEncoding } from '../encoding.ts'
import { createMachine, type Everywhere, type Step, type Transitions } from '../machine.ts'
import type { SessionEffect, SessionEvent, SessionEventOf, SessionState } from './states.ts'
import { type SESSION_EVERYWHERE, SESSION_TABLE } from './table.ts'

const onError = (_state: unknown, event: SessionEventOf<'ErrorResponse'>) => {
  const failure = survivable(event)
  return to({ name: 'AwaitingEndOfQuery' }, { do: 'reportError', failure })
}

const onReady = (_state: unknown, { status }: SessionEventOf<'ReadyForQuery'>) =>
  to({ name: 'Idle', transactionStatus: status }, { do: 'settleQuery' })

const onComplete = (_state: unknown, { commandTag }: SessionEventOf<'CommandComplete'>) =>
  to({ name: 'AwaitingResponse', hasBegun: true }, { do: 'completeResult', commandTag })

const TRANSITIONS: Transitions<typeof SESSION_TABLE, SessionState, SessionEvent, SessionEffect> = {
  Idle: {
    SendQuery: (_state, { text }) =>
      to({ name: 'AwaitingResponse', hasBegun: false }, { do: 'send', message: { type: 'Query', query: text } }),
    SendTerminate: () => to({ name: 'Terminating' }, { do: 'send', message: { type: 'Terminate' } }),
    ErrorResponse: (state, event) => to(state, { do: 'reportNotice', report: survivable(event) }),
  },

  AwaitingResponse: {
    RowDescription: (_state, { columns }) =>
      to({ name: 'ReadingRows', columnCount: columns.length }, { do: 'describe', columns }),
    CommandComplete: onComplete,
    EmptyQueryResponse: () =>
      to({ name: 'AwaitingResponse', hasBegun: true }, { do: 'completeResult', commandTag: '' }),
    CopyOutResponse: () => to({ name: 'CopyingOut' }),
    CopyInResponse: () =>
      to(
        { name: 'RefusingCopyIn' },
        { do: 'send', message: { type: 'CopyFail', reason: 'a query text carries no data for COPY FROM STDIN' } },
      ),
    ErrorResponse: onError,
    ReadyForQuery: (state, event) => {
      // #PROTOCOL-FLOW-SIMPLE-QUERY: "one or more response messages [...] and finally a ReadyForQuery". One that is left over
      // from before would end this query without its answer, and give that to the next one.
      if (!state.hasBegun) {
        throw new Fault({
          kind: 'misbehaved',
          expected: ['a response to the query before ReadyForQuery'],
          received: 'ReadyForQuery',
        })
      }
      return onReady(state, event)
    },
  },

  ReadingRows: {
    DataRow: (state, { values }) => {
      if (values.length !== state.columnCount) {
        throw new Fault({
          kind: 'misbehaved',
          expected: [`a DataRow of ${state.columnCount} values, as RowDescription said`],
          received: `one of ${values.length}`,
        })
      }
      return to(state, { do: 'addRow', values })
    },
    CommandComplete: onComplete,
    ErrorResponse: onError,
  },

  CopyingOut: {
    CopyData: (state, { data }) => to(state, { do: 'addCopyData', data }),
    CopyDone: () => to({ name: 'AwaitingResponse', hasBegun: true }),
    ErrorResponse: onError,
  },

  RefusingCopyIn: {
    ErrorResponse: onError,
  },

  AwaitingEndOfQuery: {
    ErrorResponse: onError,
    ReadyForQuery: onReady,
  },

  Terminating: {
    ErrorResponse: (state) => to(state),
    TransportLost: () => to({ name: 'Closed' }),
  },

  Closed: {},
  Failed: {},
}

const ANYWHERE: Everywhere<typeof SESSION_EVERYWHERE, SessionState, SessionEvent, SessionEffect> = {
  NoticeResponse: (state, event) => to(state, { do: 'reportNotice', report: readReport(event) }),
  ParameterStatus: (state, { name, value }) => {
    checkEncoding(name, value)
    return to(state, { do: 'setParameter', name, value })
  },
  // Nobody has asked for LISTEN through this library yet; a notification is lawful all the same.
  NotificationResponse: (state) => to(state),
  TransportLost: (state, { code, detail }) => to(fail(state, { kind: 'lost', code, detail })),
}

function fail(state: SessionState, failure: Failure): SessionState {
  return state.name === 'Failed' ? state : { name: 'Failed', phase: state.name, failure }
}

/** The session: `step` for an arrow that we know, `receive` for what the server chose. */
export const session = createMachine({ table: SESSION_TABLE, transitions: TRANSITIONS, everywhere: ANYWHERE, fail })

function to<S extends SessionState>(state: S, ...effects: SessionEffect[]): Step<S, SessionEffect> {
  return { state, effects }
}

/** An error after which the session goes on. FATAL and PANIC end it: no ReadyForQuery follows. */
function survivable(event: SessionEventOf<'ErrorResponse'>): Extract<Failure, { kind: 'refused' }> {
  const failure = { kind: 'refused', ...readReport(event) } as const
  if (failure.severity === 'FATAL' || failure.severity === 'PANIC') throw new Fault(failure)
  return failure
}

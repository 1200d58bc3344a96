import { describe, expect, it } from 'vitest'
import type { Failure } from '../../src/protocol/failure.ts'
import { type FailedAttempt, HandshakeError, SessionError } from '../../src/state/errors.ts'
import type { Timeline } from '../../src/state/timeline.ts'

const refused = (sqlstate: string, severity: string, fields: [string, string][] = []): Failure => ({
  kind: 'refused',
  severity,
  sqlstate,
  message: 'no',
  fields: new Map(fields),
})

/** Read aloud: what happened, where, and what can be done about it. */
const SENTENCES: readonly (readonly [Failure, string])[] = [
  [
    { kind: 'deadline', timeoutMs: 3_000 },
    'the deadline of 3000 ms passed in AwaitingVerdict, waiting for the server to accept or refuse our authentication',
  ],
  [
    { kind: 'deadline', timeoutMs: 20, leastMs: 50 },
    'not begun: 20 ms are left, and leastMs says that a connect takes at least 50 ms; give it more time, or try when there is less to do',
  ],
  [
    { kind: 'deadline', timeoutMs: 399.57558400000016 },
    'the deadline of 399.6 ms passed in AwaitingVerdict, waiting for the server to accept or refuse our authentication',
  ],
  [
    { kind: 'deadline', timeoutMs: 19.958334, leastMs: 50 },
    'not begun: 20 ms are left, and leastMs says that a connect takes at least 50 ms; give it more time, or try when there is less to do',
  ],
  [
    { kind: 'aborted' },
    'the caller aborted in AwaitingVerdict, waiting for the server to accept or refuse our authentication',
  ],
  [
    refused('28P01', 'FATAL'),
    'the server refused in AwaitingVerdict: no (FATAL, SQLSTATE 28P01); check user and password',
  ],
  [
    refused('28P01', 'FATAL', [['hint', 'the server knows better']]),
    'the server refused in AwaitingVerdict: no (FATAL, SQLSTATE 28P01); the server knows better',
  ],
  [
    { ...refused('28P01', 'FATAL'), advice: 'or do that' } as Failure,
    'the server refused in AwaitingVerdict: no (FATAL, SQLSTATE 28P01); or do that; check user and password',
  ],
  [refused('', ''), 'the server refused in AwaitingVerdict: no'],
  [refused('XX000', ''), 'the server refused in AwaitingVerdict: no (SQLSTATE XX000)'],
  [
    { kind: 'misbehaved', expected: ['A', 'B', 'C'], received: 'D' },
    'the server broke the protocol in AwaitingVerdict: expected A, B or C, received D',
  ],
  [
    { kind: 'misbehaved', expected: ['TransportLost'], received: 'D' },
    'the server broke the protocol in AwaitingVerdict: expected the end of the connection, received D',
  ],
  [
    { kind: 'misbehaved', expected: ['A'], received: 'D' },
    'the server broke the protocol in AwaitingVerdict: expected A, received D',
  ],
  [
    { kind: 'misbehaved', expected: [], received: 'D' },
    'the server broke the protocol in AwaitingVerdict: expected nothing, received D',
  ],
  [
    { kind: 'malformed', message: 'BackendKeyData', field: 'secretKey', offset: 4, problem: 'expected 4 bytes, got 3' },
    'the server sent bytes that are no message, in AwaitingVerdict: BackendKeyData, field secretKey, byte 4: expected 4 bytes, got 3',
  ],
  [
    { kind: 'malformed', message: 'CopyDone', field: '', offset: 0, problem: '1 bytes follow the last field' },
    'the server sent bytes that are no message, in AwaitingVerdict: CopyDone, byte 0: 1 bytes follow the last field',
  ],
  [
    { kind: 'limit', what: 'SCRAM iterations', limit: 100, received: 101 },
    'the server passed a limit in AwaitingVerdict: SCRAM iterations: 101, allowed are 100',
  ],
  [
    { kind: 'unproven', what: 'its signature is wrong' },
    'the server did not prove who it is, in AwaitingVerdict: its signature is wrong; do not trust it, and check host and password',
  ],
  [
    { kind: 'policy', what: 'it wants this', advice: 'do that' },
    'refused for your safety in AwaitingVerdict: it wants this; do that',
  ],
  [
    { kind: 'incompatible', what: 'method', offered: ['GSSAPI'], supported: ['md5', 'scram'] },
    'nothing in common with the server in AwaitingVerdict: method: it offers GSSAPI; accepted here: md5, scram',
  ],
  [
    { kind: 'incompatible', what: 'method', offered: [], supported: ['md5'] },
    'nothing in common with the server in AwaitingVerdict: method: it offers nothing; accepted here: md5',
  ],
  [
    { kind: 'lost', code: 'FIN', detail: 'end of stream' },
    'the server closed the connection in AwaitingVerdict, waiting for the server to accept or refuse our authentication',
  ],
  [
    { kind: 'lost', code: 'ECONNRESET', detail: 'read ECONNRESET' },
    'the connection failed in AwaitingVerdict: read ECONNRESET (ECONNRESET)',
  ],
  [{ kind: 'config', parameter: 'port', problem: 'expected 1 to 65535' }, 'port: expected 1 to 65535'],
]

const FAILED: FailedAttempt = {
  endpoint: 'db.example:5432',
  encryption: 'preferred',
  sliceMs: 1_000,
  phase: 'Dialing',
  failure: { kind: 'aborted' },
}

describe('an error', () => {
  it.each(SENTENCES)('%j', (failure, sentence) => {
    expect(new HandshakeError('AwaitingVerdict', failure, [], []).message).toBe(sentence)
  })

  it.each([
    ['ResolvingHost', 'ENOTFOUND', 'check the name of the host'],
    ['ResolvingHost', 'EAI_AGAIN', 'the name server does not answer: try again, or give hostaddr'],
    ['Dialing', 'ECONNREFUSED', 'nobody listens there: check host and port, and that the server runs'],
    ['Dialing', 'ENOENT', 'there is no such socket: check directory and port, and that the server runs'],
    ['Dialing', 'ETIMEDOUT', 'nobody answers: check the address, and the firewalls on the way'],
    ['Dialing', 'EHOSTUNREACH', 'nobody answers: check the address, and the firewalls on the way'],
    ['Dialing', 'ENETUNREACH', 'there is no way to that address from here: check it, and the network'],
  ] as const)('of who is not reached says what to do: %s, %s', (phase, code, remedy) => {
    const { message } = new HandshakeError(phase, { kind: 'lost', code, detail: 'no' }, [], [])
    expect(message).toBe(`the connection failed in ${phase}: no (${code}); ${remedy}`)
  })

  it('says nothing of waiting where nobody waited', () => {
    const error = new HandshakeError('Disconnected', { kind: 'deadline', timeoutMs: 0 }, [], [])
    expect(error.message).toBe('the deadline of 0 ms passed in Disconnected')
  })

  it('is named as the platform names it', () => {
    const names = (['deadline', 'aborted', 'unproven'] as const).map((kind) => {
      const failure = { kind, timeoutMs: 1, what: '' } as Failure
      return [new HandshakeError('Dialing', failure, [], []).name, new SessionError('Idle', failure).name]
    })
    expect(names).toEqual([
      ['TimeoutError', 'TimeoutError'],
      ['AbortError', 'AbortError'],
      ['HandshakeError', 'SessionError'],
    ])
  })

  it('carries phase, failure, timeline and cause', () => {
    const cause = new Error('why')
    const failure: Failure = { kind: 'aborted' }
    const error = new HandshakeError('Dialing', failure, [], [], { cause })
    expect(error).toMatchObject({ phase: 'Dialing', failure, timeline: [], cause })
    expect(new HandshakeError('Dialing', failure, [], [])).not.toHaveProperty('cause')
  })

  it('tells of the attempts before the last one too', () => {
    const attempts = [
      { ...FAILED, phase: 'SecuringTransport', failure: { kind: 'unproven', what: 'server certificate' } },
      { ...FAILED, phase: 'Dialing', failure: { kind: 'lost', code: 'ECONNREFUSED', detail: 'refused' } },
    ] as const
    expect(new HandshakeError('Dialing', attempts[1].failure, [], attempts).message).toBe(
      'the connection failed in Dialing: refused (ECONNREFUSED); nobody listens there: check host and port, and that the server runs; an attempt before: the server did not prove who it is, in SecuringTransport: server certificate; do not trust it, and check host and password',
    )
  })

  it('says which host it was, if there was more than one, and does not list them for ever', () => {
    const failure = { kind: 'lost', code: 'ECONNREFUSED', detail: 'refused' } as const
    const attempts = [1, 2, 3, 4, 5, 6].map((n) => ({ ...FAILED, endpoint: `h${n}:5432`, failure }))
    const said =
      'the connection failed in Dialing: refused (ECONNREFUSED); nobody listens there: check host and port, and that the server runs'
    expect(new HandshakeError('Dialing', failure, [], attempts.slice(0, 2)).message).toBe(
      `${said}; this was on h2:5432; an attempt before on h1:5432: ${said}`,
    )
    const { message } = new HandshakeError('Dialing', failure, [], attempts)
    expect(message).toContain('h2:5432')
    expect(message).not.toContain('h1:5432')
    expect(message).toMatch(/; and 1 more, in error\.attempts$/)
    expect(message).toContain('; this was on h6:5432; ')
    // Four before the last one are told, and that is all of them.
    const { message: short } = new HandshakeError('Dialing', failure, [], attempts.slice(0, 5))
    expect(short).toContain('on h1:5432')
    expect(short).not.toContain('more')
  })

  it('of one attempt says what happened, and nothing else', () => {
    expect(new HandshakeError('Dialing', { kind: 'aborted' }, [], [FAILED]).message).toBe(
      'the caller aborted in Dialing, waiting for the connection to be opened (TCP, or the Unix-domain socket)',
    )
  })

  it('tells of a share that had passed as of a share', () => {
    const attempts = [{ ...FAILED, failure: { kind: 'deadline', timeoutMs: 250 } }, FAILED] as const
    expect(new HandshakeError('Dialing', { kind: 'aborted' }, [], attempts).message).toMatch(
      /; an attempt before: its share of the deadline, 250 ms, passed in Dialing/,
    )
  })

  it('does not blame the server for a time in which we ourselves were busy', () => {
    const timeline = [{ loopLagMs: 3 }, { loopLagMs: 812.4 }] as unknown as Timeline
    const error = new HandshakeError('Dialing', { kind: 'deadline', timeoutMs: 500 }, timeline, [])
    expect(error.message).toMatch(/; our own event loop was blocked for 812 ms meanwhile: look there first$/)
    expect(error.loopLagMs).toBe(812.4)
    const told = (loopLagMs: number) =>
      new HandshakeError('Dialing', { kind: 'deadline', timeoutMs: 500 }, [{ loopLagMs }] as unknown as Timeline, [])
        .message
    expect(told(50)).toContain('event loop')
    expect(told(49)).not.toContain('event loop')
    expect(new HandshakeError('Dialing', { kind: 'aborted' }, timeline, []).message).not.toContain('event loop')
    expect(new HandshakeError('Dialing', { kind: 'deadline', timeoutMs: 500 }, [], []).message).not.toContain('loop')
  })

  it('of a session has the SQLSTATE at hand', () => {
    expect(new SessionError('ReadingRows', refused('22012', 'ERROR')).sqlstate).toBe('22012')
    expect(new SessionError('ReadingRows', { kind: 'aborted' }).sqlstate).toBe('')
  })

  it('of a session has no results and no notices where none had come', () => {
    expect(new SessionError('Idle', { kind: 'aborted' })).toMatchObject({ results: [], notices: [] })
  })
})

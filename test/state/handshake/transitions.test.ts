import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../../src/auth/secret.ts'
import { LIMITS } from '../../../src/protocol/limits.ts'
import type { Event, EventOf } from '../../../src/state/handshake/events.ts'
import { begin, nextMove } from '../../../src/state/handshake/policy.ts'
import type { Attempt, State, StateOf } from '../../../src/state/handshake/states.ts'
import { handshake } from '../../../src/state/handshake/transitions.ts'
import { ATTEMPT, EVENTS, STATES } from './examples.ts'

const signal = new AbortController().signal

function failureAfter(state: State, event: Event) {
  const { state: next, effects } = handshake.receive(state, event, signal)
  if (next.name !== 'Failed') throw new Error(`expected a failure, got ${next.name}`)
  expect(effects).toEqual([])
  return next.failure
}

function asked(changes: Partial<Attempt> = {}): StateOf<'AwaitingAuthentication'> {
  return { ...STATES.AwaitingAuthentication, attempt: { ...ATTEMPT, ...changes } }
}

describe('the start', () => {
  it('moves by itself where the next move is ours, and waits everywhere else', () => {
    const moves = Object.values(STATES).map((state) => [state.name, nextMove(state)?.type])
    expect(moves.filter(([, type]) => type !== undefined)).toEqual([
      ['Disconnected', 'Dial'],
      ['Connected', 'SendStartup'],
    ])
    expect(begin(ATTEMPT)).toEqual({ name: 'Disconnected', attempt: ATTEMPT })
  })

  it('dials once, and sends one StartupMessage with the newest version that is allowed', () => {
    const dialing = handshake.step(STATES.Disconnected, { type: 'Dial' }, signal)
    expect(dialing.effects).toEqual([{ do: 'dial' }])
    const { state, effects } = handshake.step(STATES.Connected, { type: 'SendStartup' }, signal)
    expect(state.protocolVersion).toBe('3.2')
    expect(effects).toEqual([
      {
        do: 'send',
        message: {
          type: 'StartupMessage',
          protocolVersion: 0x0003_0002,
          parameters: [
            { name: 'user', value: 'alice' },
            { name: 'database', value: 'app' },
            { name: 'client_encoding', value: 'UTF8' },
          ],
        },
      },
    ])
  })
})

describe('NegotiateProtocolVersion', () => {
  const negotiate = (newestVersion: number, unrecognizedOptions: string[] = []) =>
    ({ type: 'NegotiateProtocolVersion', newestVersion, unrecognizedOptions }) as const

  it('lowers 3.2 to 3.0', () => {
    const { state } = handshake.receive(asked(), negotiate(0x0003_0000), signal)
    expect(state).toMatchObject({ name: 'AwaitingAuthentication', protocolVersion: '3.0', negotiated: true })
  })

  it.each([
    ['the version that we asked for', 0x0003_0002, '3.2'],
    ['a newer version', 0x0003_0003, '3.3'],
    ['another major version', 0x0004_0000, '4.0'],
    ['3.1, which is reserved', 0x0003_0001, '3.1'],
    ['2.0', 0x0002_0000, '2.0'],
    ['a negative version', -1, '-1.65535'],
  ])('is refused if it names %s', (_what, version, shown) => {
    expect(failureAfter(asked(), negotiate(version))).toMatchObject({ kind: 'misbehaved', received: shown })
  })

  it('is refused under 3.0, below which there is nothing', () => {
    const state = { ...asked(), protocolVersion: '3.0' } as const
    expect(failureAfter(state, negotiate(0x0003_0000))).toMatchObject({ kind: 'misbehaved' })
  })

  it('is refused if it speaks of options, since we send none', () => {
    expect(failureAfter(asked(), negotiate(0x0003_0000, ['_pq_.x']))).toMatchObject({ kind: 'misbehaved' })
  })

  it('is refused if it comes twice', () => {
    const state = { ...asked(), negotiated: true }
    expect(failureAfter(state, negotiate(0x0003_0000))).toMatchObject({ kind: 'misbehaved', received: 'a second one' })
  })

  it('ends in incompatible below minProtocolVersion', () => {
    expect(failureAfter(asked({ minProtocolVersion: '3.2' }), negotiate(0x0003_0000))).toEqual({
      kind: 'incompatible',
      what: 'protocol version',
      offered: ['3.0'],
      supported: ['3.2 or later (minProtocolVersion)'],
    })
  })
})

describe('authentication', () => {
  it.each(['AuthenticationCleartextPassword', 'AuthenticationMD5Password', 'AuthenticationSASL'] as const)(
    '%s without a password ends at once and sends nothing',
    (type) => {
      expect(failureAfter(asked({ password: null }), EVENTS[type])).toMatchObject({
        kind: 'config',
        parameter: 'password',
      })
    },
  )

  it('does not send a password in the clear unless it is allowed to', () => {
    const failure = failureAfter(asked({ allowCleartextPassword: false }), EVENTS.AuthenticationCleartextPassword)
    expect(failure).toMatchObject({ kind: 'policy', advice: expect.stringContaining('allowCleartextPassword') })
  })

  it('sends the password in the clear where it is allowed to', () => {
    const { effects } = handshake.receive(asked(), EVENTS.AuthenticationCleartextPassword, signal)
    expect(effects).toEqual([{ do: 'send', message: { type: 'PasswordMessage', password: 'correct horse' } }])
  })

  it('answers MD5 with 32 hexadecimal digits, salted', () => {
    const { effects } = handshake.receive(asked(), EVENTS.AuthenticationMD5Password, signal)
    // md5(md5('correct horse' || 'alice') || 01020304), made with md5sum
    expect(effects).toEqual([
      { do: 'send', message: { type: 'PasswordMessage', password: 'md5769ce315d0856594c0c01eb54a006700' } },
    ])
  })

  it('begins SCRAM with its own nonce', () => {
    const { effects } = handshake.receive(asked(), EVENTS.AuthenticationSASL, signal)
    const [effect] = effects
    if (effect?.do !== 'send' || effect.message.type !== 'SASLInitialResponse') throw new Error('nothing was sent')
    expect(effect.message.mechanism).toBe('SCRAM-SHA-256')
    expect(Buffer.from(effect.message.data ?? []).toString()).toBe(`n,,n=,r=${ATTEMPT.clientNonce}`)
  })

  it('asks for the key with the normalized password, and keeps no password', () => {
    // U+00AA is 'a' after SASLprep (RFC 4013 section 3).
    const before = { ...STATES.AwaitingSaslChallenge, password: new Secret('\u00aa') }
    const { state, effects } = handshake.receive(before, EVENTS.AuthenticationSASLContinue, signal)
    expect(effects).toMatchObject([{ do: 'deriveKey', iterations: 4096 }])
    const [effect] = effects
    expect(effect?.do === 'deriveKey' && effect.password.reveal()).toBe('a')
    expect(JSON.stringify(state)).not.toContain('password')
  })

  it('caps the iterations before it asks for the key', () => {
    const before = { ...STATES.AwaitingSaslChallenge, scramIterationsMax: 4_095 }
    expect(failureAfter(before, EVENTS.AuthenticationSASLContinue)).toMatchObject({ kind: 'limit', received: 4_096 })
  })

  it('believes no server whose signature is wrong', () => {
    const data = Buffer.from(`v=${Buffer.alloc(32, 8).toString('base64')}`)
    expect(failureAfter(STATES.AwaitingSaslOutcome, { type: 'AuthenticationSASLFinal', data })).toMatchObject({
      kind: 'unproven',
    })
  })

  it.each(['AuthenticationKerberosV5', 'AuthenticationGSS', 'AuthenticationSSPI'] as const)(
    '%s is named as unsupported',
    (type) => {
      expect(failureAfter(asked(), EVENTS[type])).toMatchObject({ kind: 'incompatible', what: 'authentication method' })
    },
  )

  it.each([
    [STATES.AwaitingAuthentication, EVENTS.AuthenticationOk, 'none'],
    [{ ...STATES.AwaitingVerdict, authenticationMethod: 'md5' } as const, EVENTS.AuthenticationOk, 'md5'],
  ])('remembers how the server let us in', (state, event, method) => {
    expect(handshake.receive(state, event, signal).state).toMatchObject({ authenticationMethod: method })
  })

  it('shows no password in any state, event or effect that is inspected', () => {
    const shown = [STATES, asked()].map((one) => inspect(one, { depth: 10 }) + JSON.stringify(one)).join()
    expect(shown).not.toContain('correct horse')
  })
})

describe('before ReadyForQuery', () => {
  it('keeps parameters in order, and the last key', () => {
    const events: EventOf<'ParameterStatus' | 'BackendKeyData'>[] = [
      { type: 'ParameterStatus', name: 'TimeZone', value: 'UTC' },
      { type: 'ParameterStatus', name: 'TimeZone', value: 'Europe/Berlin' },
      { type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(4, 1) },
      { type: 'BackendKeyData', processId: 2, secretKey: Buffer.alloc(256, 2) },
    ]
    const state = events.reduce<State>(
      (now, event) => handshake.receive(now, event, signal).state,
      STATES.AwaitingReady,
    )
    expect(state).toMatchObject({
      name: 'AwaitingReady',
      parameters: [
        ['TimeZone', 'UTC'],
        ['TimeZone', 'Europe/Berlin'],
      ],
      backendKeyData: { processId: 2, secretKey: Buffer.alloc(256, 2) },
    })
  })

  it.each([
    ['3.0', 3],
    ['3.0', 5],
    ['3.0', 0],
    ['3.2', 3],
    ['3.2', 257],
  ] as const)('under %s a key of %i bytes is malformed', (protocolVersion, length) => {
    const event = { type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(length) } as const
    expect(failureAfter({ ...STATES.AwaitingReady, protocolVersion }, event)).toMatchObject({
      kind: 'malformed',
      field: 'secretKey',
    })
  })

  it.each([
    ['3.0', 4],
    ['3.2', 4],
    ['3.2', 256],
  ] as const)('under %s a key of %i bytes is taken', (protocolVersion, length) => {
    const event = { type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(length) } as const
    expect(handshake.receive({ ...STATES.AwaitingReady, protocolVersion }, event, signal).state.name).toBe(
      'AwaitingReady',
    )
  })

  const repeat = (event: Event, times: number, from: State = STATES.AwaitingReady) => {
    let state = from
    for (let count = 0; count < times; count++) state = handshake.receive(state, event, signal).state
    return state
  }

  it('bounds the number of parameters', () => {
    const event: Event = { type: 'ParameterStatus', name: 'a', value: '' }
    expect(repeat(event, LIMITS.parametersMax).name).toBe('AwaitingReady')
    expect(repeat(event, LIMITS.parametersMax + 1)).toMatchObject({
      name: 'Failed',
      failure: { kind: 'limit', limit: LIMITS.parametersMax, received: LIMITS.parametersMax + 1 },
    })
  })

  it('hears notifications, and bounds them', () => {
    const state = repeat(EVENTS.NotificationResponse, LIMITS.startupNotificationsMax)
    expect(state.name).toBe('AwaitingReady')
    expect(repeat(EVENTS.NotificationResponse, 1, state)).toMatchObject({ name: 'Failed', failure: { kind: 'limit' } })
  })

  it.each([
    ['LATIN1', 'Failed'],
    ['SQL_ASCII', 'Failed'],
    ['UTF8', 'AwaitingReady'],
    ['utf-8', 'AwaitingReady'],
    ['UNICODE', 'AwaitingReady'],
  ])('with client_encoding %s: %s', (value, name) => {
    const event: Event = { type: 'ParameterStatus', name: 'client_encoding', value }
    const { state } = handshake.receive(STATES.AwaitingReady, event, signal)
    expect(state.name).toBe(name)
    if (state.name === 'Failed') {
      expect(state.failure).toEqual({
        kind: 'incompatible',
        what: 'client_encoding',
        offered: [value],
        supported: ['UTF8'],
      })
    }
  })

  it('bounds the length of all parameters together', () => {
    const event: Event = { type: 'ParameterStatus', name: 'abcd', value: 'x'.repeat(15_996) }
    expect(repeat(event, 4).name).toBe('AwaitingReady')
    expect(repeat(event, 5)).toMatchObject({ name: 'Failed', failure: { kind: 'limit', received: 80_000 } })
  })

  it.each(['AwaitingAuthentication', 'AwaitingSaslChallenge', 'AwaitingVerdict', 'AwaitingReady'] as const)(
    'keeps notices in %s, and bounds them',
    (name) => {
      const state = repeat(EVENTS.NoticeResponse, LIMITS.startupNoticesMax, STATES[name])
      expect(state).toMatchObject({ name })
      expect('notices' in state && state.notices.length).toBe(LIMITS.startupNoticesMax)
      expect(repeat(EVENTS.NoticeResponse, 1, state)).toMatchObject({ name: 'Failed', failure: { kind: 'limit' } })
    },
  )

  it('carries notices from the greeting to the end', () => {
    const { state } = handshake.receive(STATES.AwaitingAuthentication, EVENTS.NoticeResponse, signal)
    const inside = handshake.receive(state, EVENTS.AuthenticationOk, signal).state
    expect(handshake.receive(inside, EVENTS.ReadyForQuery, signal).state).toMatchObject({
      name: 'Ready',
      notices: [{ severity: 'FATAL', sqlstate: '57P03' }],
    })
  })

  it('tells what the server said when it refuses', () => {
    expect(failureAfter(STATES.AwaitingVerdict, EVENTS.ErrorResponse)).toMatchObject({
      kind: 'refused',
      severity: 'FATAL',
      sqlstate: '57P03',
    })
  })
})

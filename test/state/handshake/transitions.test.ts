import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parseRequireAuth, type RequireAuth } from '../../../src/auth/require-auth.ts'
import { Secret } from '../../../src/auth/secret.ts'
import { LIMITS } from '../../../src/protocol/limits.ts'
import type { Event, EventOf } from '../../../src/state/handshake/events.ts'
import { begin, nextMove } from '../../../src/state/handshake/policy.ts'
import type { Attempt, State, StateOf } from '../../../src/state/handshake/states.ts'
import { handshake } from '../../../src/state/handshake/transitions.ts'
import { ATTEMPT, EVENTS, greeted, STATES, TLS } from './examples.ts'

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
      ['Disconnected', 'ResolveHost'],
      ['Connected', 'RequestTls'],
      ['CheckingSession', 'AcceptSession'],
    ])
    expect(begin(ATTEMPT)).toEqual({ name: 'Disconnected', attempt: ATTEMPT })
  })

  it('dials once, and sends one StartupMessage with the newest version that is allowed', () => {
    const dialing = handshake.step(STATES.Disconnected, { type: 'Dial' }, signal)
    expect(dialing.effects).toContainEqual({ do: 'dial', addresses: null })
    const { addresses } = EVENTS.HostResolved
    const resolved = handshake.step(STATES.ResolvingHost, EVENTS.HostResolved, signal)
    expect(resolved.effects).toEqual([{ do: 'dial', addresses }])
    const { state, effects } = handshake.step(STATES.Connected, { type: 'SendStartup' }, signal)
    expect(state.greeting.protocolVersion).toBe('3.2')
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
    expect(state).toMatchObject({
      name: 'AwaitingAuthentication',
      greeting: { protocolVersion: '3.0' },
      negotiated: true,
    })
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
    const state = greeted(asked(), { protocolVersion: '3.0' })
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

describe('TLS', () => {
  const required = { ...ATTEMPT, encryption: 'required' } as const

  it('is asked for with SSLRequest, and begins at S', () => {
    const asking = handshake.step(STATES.Connected, EVENTS.RequestTls, signal)
    expect(asking.effects).toEqual([{ do: 'send', message: { type: 'SSLRequest' } }])
    expect(handshake.step(asking.state, EVENTS.TlsAccepted, signal)).toEqual({
      state: { name: 'SecuringTransport', attempt: ATTEMPT },
      effects: [{ do: 'startTls' }],
    })
  })

  it('may begin at once', () => {
    expect(handshake.step(STATES.Connected, EVENTS.StartTls, signal).effects).toEqual([{ do: 'startTls' }])
  })

  it('that is refused is done without where it was only preferred', () => {
    const { state } = handshake.receive(STATES.AwaitingTlsReply, EVENTS.TlsRefused, signal)
    expect(state).toMatchObject({ name: 'Connected', tls: null, tlsRefused: true })
  })

  it('that is refused where it is required is the end, and nothing has left', () => {
    expect(failureAfter({ name: 'AwaitingTlsReply', attempt: required }, EVENTS.TlsRefused)).toMatchObject({
      kind: 'policy',
      what: expect.stringContaining('does not speak TLS'),
    })
  })

  it('that is answered with an error is refused, and the text is withheld', () => {
    const failure = failureAfter(STATES.AwaitingTlsReply, EVENTS.ErrorResponse)
    expect(failure).toMatchObject({ kind: 'refused', severity: '', sqlstate: '', fields: new Map() })
    expect(failure.kind === 'refused' && failure.message).toContain('in place of an answer to SSLRequest')
    expect(JSON.stringify(failure)).not.toContain('57P03')
  })

  it('with a certificate that cannot be believed is unproven', () => {
    const event = { type: 'TlsEstablished', tls: { ...TLS, rejection: 'server certificate (expired)' } } as const
    expect(failureAfter(STATES.SecuringTransport, event)).toEqual({
      kind: 'unproven',
      what: 'server certificate (expired)',
    })
  })

  it.each([
    [false, 'postgresql', true],
    [false, null, true],
    [false, 'h2', false],
    [true, 'postgresql', true],
    [true, null, false],
    [true, 'h2', false],
  ])('direct: %s, ALPN %s: %s', (directTls, alpnProtocol, isLawful) => {
    const state = { name: 'SecuringTransport', attempt: { ...required, directTls } } as const
    const { state: next } = handshake.receive(state, { type: 'TlsEstablished', tls: { ...TLS, alpnProtocol } }, signal)
    expect(next.name).toBe(isLawful ? 'Connected' : 'Failed')
    const received = alpnProtocol === null ? 'none' : 'another one'
    if (next.name === 'Failed') expect(next.failure).toMatchObject({ kind: 'misbehaved', received })
  })

  it('lets a password leave in the clear', () => {
    const state = greeted(asked({ allowCleartextPassword: false }), { tls: TLS })
    const { effects } = handshake.receive(state, EVENTS.AuthenticationCleartextPassword, signal)
    expect(effects).toEqual([{ do: 'fetchPassword' }])
  })

  it('stays known until the session is ready', () => {
    const inTls = { ...STATES.Connected, tls: TLS }
    const events = [
      EVENTS.AuthenticationMD5Password,
      EVENTS.PasswordFetched,
      EVENTS.AuthenticationOk,
      { type: 'ParameterStatus', name: 'in_hot_standby', value: 'off' } as const,
      EVENTS.ReadyForQuery,
      EVENTS.AcceptSession,
    ]
    const startup: State = handshake.step(inTls, EVENTS.SendStartup, signal).state
    const ready = events.reduce<State>((state, event) => handshake.receive(state, event, signal).state, startup)
    expect(ready).toMatchObject({ name: 'Ready', greeting: { tls: TLS } })
  })
})

describe('a password', () => {
  it('that may be needed is begun before anybody is dialed', () => {
    const dialing = handshake.step(STATES.Disconnected, EVENTS.Dial, signal)
    expect(dialing.effects).toEqual([{ do: 'beginPassword' }, { do: 'dial', addresses: null }])
    const resolving = handshake.step(STATES.Disconnected, EVENTS.ResolveHost, signal)
    expect(resolving.effects).toEqual([{ do: 'beginPassword' }, { do: 'resolveHost' }])
  })

  it('that cannot be needed is not', () => {
    const attempt = { ...ATTEMPT, hasPassword: false }
    const { effects } = handshake.step({ name: 'Disconnected', attempt }, EVENTS.ResolveHost, signal)
    expect(effects).toEqual([{ do: 'resolveHost' }])
  })

  it('is fetched once the server has asked for it, and the first message of SCRAM does not wait for it', () => {
    for (const event of [EVENTS.AuthenticationCleartextPassword, EVENTS.AuthenticationMD5Password]) {
      expect(handshake.receive(asked(), event, signal).effects).toEqual([{ do: 'fetchPassword' }])
    }
    const sasl = handshake.step(asked(), EVENTS.AuthenticationSASL, signal)
    expect(sasl.effects).toMatchObject([{ do: 'send', message: { type: 'SASLInitialResponse' } }])
    const challenged = handshake.step(STATES.AwaitingSaslChallenge, EVENTS.AuthenticationSASLContinue, signal)
    expect(challenged.effects).toEqual([{ do: 'fetchPassword' }])
  })

  it('stands in no state: it comes with an event, and leaves with an effect', () => {
    expect(inspect(STATES, { depth: 10, showHidden: true })).not.toContain('Secret')
  })
})

describe('require_auth', () => {
  const methods = {
    none: EVENTS.AuthenticationOk,
    password: EVENTS.AuthenticationCleartextPassword,
    md5: EVENTS.AuthenticationMD5Password,
    'scram-sha-256': EVENTS.AuthenticationSASL,
  } as const
  const names = Object.keys(methods) as (keyof typeof methods)[]
  const pairs = names.flatMap((allowed) => names.map((chosen) => [allowed, chosen] as const))

  it.each(pairs)('%s, and the server chooses %s', (allowed, chosen) => {
    const requireAuth = parseRequireAuth(allowed) as RequireAuth
    const { state, effects } = handshake.receive(asked({ requireAuth }), methods[chosen], signal)
    if (allowed === chosen) expect(state.name).not.toBe('Failed')
    else {
      expect(state).toMatchObject({ name: 'Failed', failure: { kind: 'policy' } })
      expect(effects).toEqual([])
    }
  })
})

describe('channel binding', () => {
  const certificate = readFileSync(new URL('../../auth/certificates/rsa-sha256.der', import.meta.url))
  const inTls = (channelBinding: Attempt['channelBinding'], serverCertificate: Uint8Array | null = certificate) =>
    greeted(asked({ channelBinding }), { tls: { ...TLS, serverCertificate } })
  const offer = (...mechanisms: string[]) => ({ type: 'AuthenticationSASL', mechanisms }) as const
  const firstMessage = (state: State, event: Event) => {
    const [effect] = handshake.receive(state, event, signal).effects
    if (effect?.do !== 'send' || effect.message.type !== 'SASLInitialResponse') throw new Error('nothing was sent')
    return [
      effect.message.mechanism,
      Buffer.from(effect.message.data ?? [])
        .toString()
        .split('n=')[0],
    ]
  }
  const both = offer('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS')

  it('is used where the server offers it, and its absence is told where it does not', () => {
    expect(firstMessage(inTls('prefer'), both)).toEqual(['SCRAM-SHA-256-PLUS', 'p=tls-server-end-point,,'])
    expect(firstMessage(inTls('require'), both)).toEqual(['SCRAM-SHA-256-PLUS', 'p=tls-server-end-point,,'])
    expect(firstMessage(inTls('prefer'), offer('SCRAM-SHA-256'))).toEqual(['SCRAM-SHA-256', 'y,,'])
    expect(firstMessage(inTls('disable'), both)).toEqual(['SCRAM-SHA-256', 'n,,'])
    expect(firstMessage(asked(), offer('SCRAM-SHA-256'))).toEqual(['SCRAM-SHA-256', 'n,,'])
  })

  it('that is not offered or not wanted does not look at the certificate, which may be an odd one', () => {
    const odd = Buffer.from('not a certificate')
    expect(firstMessage(inTls('prefer', odd), offer('SCRAM-SHA-256'))).toEqual(['SCRAM-SHA-256', 'y,,'])
    expect(firstMessage(inTls('disable', odd), both)).toEqual(['SCRAM-SHA-256', 'n,,'])
    expect(failureAfter(inTls('prefer', odd), both)).toMatchObject({ kind: 'malformed', message: 'Certificate' })
  })

  it.each(['AuthenticationOk', 'AuthenticationCleartextPassword', 'AuthenticationMD5Password'] as const)(
    'that is required is not given up for %s',
    (type) => {
      expect(failureAfter(inTls('require'), EVENTS[type])).toMatchObject({ kind: 'policy' })
    },
  )

  it('that is offered without TLS has nothing to bind to', () => {
    expect(failureAfter(asked(), both)).toMatchObject({ kind: 'misbehaved' })
  })

  it('that is required is not given up for plain SCRAM', () => {
    expect(failureAfter(inTls('require'), offer('SCRAM-SHA-256'))).toMatchObject({ kind: 'policy' })
  })

  it('that is required is the end before a StartupMessage leaves in plaintext', () => {
    const state = { ...STATES.Connected, attempt: { ...ATTEMPT, channelBinding: 'require' } } as const
    expect(failureAfter(state, EVENTS.SendStartup)).toMatchObject({ kind: 'policy' })
  })

  it('that is required lets a StartupMessage leave in TLS', () => {
    const state = { ...STATES.Connected, tls: TLS, attempt: { ...ATTEMPT, channelBinding: 'require' } } as const
    expect(handshake.step(state, { type: 'SendStartup' }, signal).state.name).toBe('AwaitingAuthentication')
  })
})

describe('SCRAM that begins unasked', () => {
  const certificate = readFileSync(new URL('../../auth/certificates/rsa-sha256.der', import.meta.url))
  const offer = (...mechanisms: string[]) => ({ type: 'AuthenticationSASL', mechanisms }) as const
  const only = parseRequireAuth('scram-sha-256') as RequireAuth
  const begun = (changes: Partial<Attempt> = {}): StateOf<'AwaitingSaslOffer'> => ({
    ...STATES.AwaitingSaslOffer,
    attempt: { ...ATTEMPT, requireAuth: only, ...changes },
  })
  /** As it is where the server is remembered: everything is allowed. */
  const remembered = (): StateOf<'AwaitingSaslOffer'> => begun({ requireAuth: null, remembered: 'SCRAM-SHA-256' })
  const endPoint = { flag: 'p', data: Buffer.alloc(32, 5) } as const
  const bound = (channelBinding: Attempt['channelBinding']): StateOf<'AwaitingSaslOffer'> => ({
    ...greeted(begun({ channelBinding }), { tls: { ...TLS, serverCertificate: certificate } }),
    guess: { mechanism: 'SCRAM-SHA-256-PLUS', binding: endPoint },
  })

  it('leaves behind the StartupMessage, in the same flight, and says nothing but a nonce', () => {
    const { state, effects } = handshake.step(STATES.Connected, EVENTS.SendStartupAndSasl, signal)
    expect(state).toMatchObject({ name: 'AwaitingSaslOffer', negotiated: false, keys: null })
    expect(effects).toEqual([
      ...handshake.step(STATES.Connected, EVENTS.SendStartup, signal).effects,
      {
        do: 'send',
        message: {
          type: 'SASLInitialResponse',
          mechanism: 'SCRAM-SHA-256',
          data: new TextEncoder().encode(`n,,n=,r=${ATTEMPT.clientNonce}`),
        },
      },
    ])
  })

  it('may be bound to TLS', () => {
    const guess = { mechanism: 'SCRAM-SHA-256-PLUS', binding: endPoint } as const
    const { effects } = handshake.step({ ...STATES.Connected, tls: TLS }, { type: 'SendStartupAndSasl', guess }, signal)
    const [, effect] = effects
    if (effect?.do !== 'send' || effect.message.type !== 'SASLInitialResponse') throw new Error('nothing was sent')
    expect(effect.message.mechanism).toBe('SCRAM-SHA-256-PLUS')
    expect(Buffer.from(effect.message.data ?? []).toString()).toBe(
      `p=tls-server-end-point,,n=,r=${ATTEMPT.clientNonce}`,
    )
  })

  it('is not begun without the TLS that it must be bound to', () => {
    const state = { ...STATES.Connected, attempt: { ...ATTEMPT, channelBinding: 'require' } } as const
    expect(failureAfter(state, EVENTS.SendStartupAndSasl)).toMatchObject({ kind: 'policy' })
  })

  it('goes on with the challenge where the server does offer it, and sends nothing again', () => {
    const { state, effects } = handshake.receive(begun(), offer('SCRAM-SHA-256'), signal)
    expect(effects).toEqual([])
    expect(state).toEqual(STATES.AwaitingSaslChallenge)
    const inTls = handshake.receive(bound('require'), offer('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS'), signal)
    expect(inTls).toMatchObject({ state: { name: 'AwaitingSaslChallenge' }, effects: [] })
  })

  it('uses the keys that the caller has brought', () => {
    const key = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'))
    const attempt = { ...ATTEMPT, hasPassword: false, scramKeys: { clientKey: key(1), serverKey: key(2) } }
    const connected = { ...STATES.Connected, attempt }
    const { state } = handshake.step(connected, EVENTS.SendStartupAndSasl, signal)
    const challenged = handshake.receive(state, offer('SCRAM-SHA-256'), signal).state
    expect(handshake.receive(challenged, EVENTS.AuthenticationSASLContinue, signal).effects).toMatchObject([
      { do: 'useKeys' },
    ])
  })

  it.each([
    ['none', EVENTS.AuthenticationOk],
    ['password', EVENTS.AuthenticationCleartextPassword],
    ['md5', EVENTS.AuthenticationMD5Password],
  ] as const)(
    'is the end if the server wants %s: for policy where that is not allowed, else as a wrong guess',
    (method, event) => {
      const asks = method === 'none' ? 'let us in without authentication' : `asked for ${method}`
      expect(failureAfter(begun(), event)).toMatchObject({ kind: 'policy', what: expect.stringContaining(asks) })
      const guessed = {
        kind: 'incompatible',
        what: 'authentication, which was begun before the server asked',
        offered: [method],
        supported: ['SCRAM-SHA-256'],
      }
      expect(failureAfter(remembered(), event)).toEqual(guessed)
      const both = parseRequireAuth(`scram-sha-256,${method}`) as RequireAuth
      expect(failureAfter(begun({ requireAuth: both }), event)).toEqual(guessed)
    },
  )

  it.each(['AuthenticationKerberosV5', 'AuthenticationGSS', 'AuthenticationSSPI'] as const)(
    'is the end if the server wants %s',
    (type) => {
      expect(failureAfter(begun(), EVENTS[type])).toMatchObject({ kind: 'incompatible', what: 'authentication method' })
    },
  )

  it('is the end if the server offers none of ours', () => {
    expect(failureAfter(begun(), offer('SCRAM-SHA-512'))).toMatchObject({
      kind: 'incompatible',
      what: 'SASL mechanism',
    })
  })

  it('is a wrong guess if the server offers another of ours than the one that has begun', () => {
    expect(failureAfter(bound('prefer'), offer('SCRAM-SHA-256'))).toMatchObject({
      kind: 'incompatible',
      offered: ['SCRAM-SHA-256'],
      supported: ['SCRAM-SHA-256-PLUS'],
    })
    expect(failureAfter(bound('require'), offer('SCRAM-SHA-256'))).toMatchObject({ kind: 'policy' })
  })

  it("is a wrong guess if it began with 'n' where 'y' is due: the offer may have been taken out on the way", () => {
    const inTls = greeted(begun(), { tls: TLS })
    expect(failureAfter(inTls, offer('SCRAM-SHA-256'))).toMatchObject({ kind: 'incompatible' })
  })

  it('lets the version be negotiated, once', () => {
    const { state } = handshake.receive(begun(), EVENTS.NegotiateProtocolVersion, signal)
    expect(state).toMatchObject({ name: 'AwaitingSaslOffer', greeting: { protocolVersion: '3.0' }, negotiated: true })
    expect(failureAfter(state, EVENTS.NegotiateProtocolVersion)).toMatchObject({ kind: 'misbehaved' })
  })
})

describe('a first query', () => {
  it("leaves behind SCRAM's last message, in the same flight, and once", () => {
    const keysDerived = handshake.step(
      greeted(STATES.DerivingSaslKey, { earlyQuery: 'select 1' }),
      EVENTS.SaslKeyDerived,
      signal,
    )
    expect(keysDerived.effects).toMatchObject([
      { do: 'send', message: { type: 'SASLResponse' } },
      { do: 'send', message: { type: 'Query', query: 'select 1' } },
    ])
    const keysGiven = handshake.step(
      greeted(STATES.AwaitingSaslPassword, { earlyQuery: 'select 1' }),
      EVENTS.SaslKeysGiven,
      signal,
    )
    expect(keysGiven.effects).toEqual(keysDerived.effects)
  })

  it('is known from the attempt to the session', () => {
    const connected = {
      ...STATES.Connected,
      attempt: { ...ATTEMPT, earlyQuery: 'select 1', sessionWanted: 'any' },
    } as const
    for (const first of [EVENTS.SendStartup, EVENTS.SendStartupAndSasl]) {
      const events = [
        EVENTS.AuthenticationSASL,
        EVENTS.AuthenticationSASLContinue,
        EVENTS.PasswordFetched,
        EVENTS.SaslKeyDerived,
      ]
      const state = [first, ...events].reduce<State>(
        (now, event) => handshake.receive(now, event, signal).state,
        connected,
      )
      expect(state).toMatchObject({ name: 'AwaitingSaslOutcome', greeting: { earlyQuery: 'select 1' } })
    }
    const ready = [EVENTS.AuthenticationOk, EVENTS.ReadyForQuery, EVENTS.AcceptSession].reduce<State>(
      (now, event) => handshake.receive(now, event, signal).state,
      greeted(STATES.AwaitingVerdict, { earlyQuery: 'select 1', sessionWanted: 'any' }),
    )
    expect(ready).toMatchObject({ name: 'Ready', greeting: { earlyQuery: 'select 1' } })
  })

  it.each(['AuthenticationCleartextPassword', 'AuthenticationMD5Password'] as const)(
    'does not leave after %s',
    (type) => {
      const asking = greeted(asked(), { earlyQuery: 'select 1' })
      const { state } = handshake.receive(asking, EVENTS[type], signal)
      expect(handshake.receive(state, EVENTS.PasswordFetched, signal).effects).toMatchObject([
        { do: 'send', message: { type: 'PasswordMessage' } },
      ])
    },
  )
})

describe('SCRAM keys', () => {
  const key = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'))

  it('are used in place of a password, and nothing is derived', () => {
    const start = asked({ hasPassword: false, scramKeys: { clientKey: key(1), serverKey: key(2) } })
    const { state } = handshake.receive(start, EVENTS.AuthenticationSASL, signal)
    const { effects } = handshake.receive(state, EVENTS.AuthenticationSASLContinue, signal)
    expect(effects).toEqual([
      { do: 'useKeys', keys: { clientKey: new Uint8Array(32).fill(1), serverKey: new Uint8Array(32).fill(2) } },
    ])
    const proven = handshake.step(STATES.AwaitingSaslPassword, EVENTS.SaslKeysGiven, signal)
    expect(proven).toEqual(handshake.step(STATES.DerivingSaslKey, EVENTS.SaslKeyDerived, signal))
  })

  it('that are no keys are a config failure', () => {
    for (const [clientKey, serverKey] of [
      [key(1), new Secret('x')],
      [new Secret('x'), key(1)],
    ] as const) {
      expect(failureAfter(asked({ scramKeys: { clientKey, serverKey } }), EVENTS.AuthenticationSASL)).toMatchObject({
        kind: 'config',
        parameter: 'scram_client_key',
      })
    }
  })
})

describe('authentication', () => {
  it.each([
    ['AuthenticationCleartextPassword', 'password'],
    ['AuthenticationMD5Password', 'md5'],
    ['AuthenticationSASL', 'scram-sha-256'],
  ] as const)('%s without a password ends at once and sends nothing', (type, method) => {
    expect(failureAfter(asked({ hasPassword: false }), EVENTS[type])).toEqual({
      kind: 'config',
      parameter: 'password',
      problem: `the server asked for a password (${method}) and none was given`,
    })
  })

  it('does not send a password in the clear unless it is allowed to', () => {
    const failure = failureAfter(asked({ allowCleartextPassword: false }), EVENTS.AuthenticationCleartextPassword)
    expect(failure).toMatchObject({ kind: 'policy', advice: expect.stringContaining('allowCleartextPassword') })
  })

  it('sends the password in the clear where it is allowed to', () => {
    const { state } = handshake.receive(asked(), EVENTS.AuthenticationCleartextPassword, signal)
    const { effects } = handshake.receive(state, EVENTS.PasswordFetched, signal)
    expect(effects).toEqual([{ do: 'send', message: { type: 'PasswordMessage', password: 'correct horse' } }])
  })

  it('answers MD5 with 32 hexadecimal digits, salted', () => {
    const { state } = handshake.receive(asked(), EVENTS.AuthenticationMD5Password, signal)
    const { effects } = handshake.receive(state, EVENTS.PasswordFetched, signal)
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
    const fetched = { type: 'PasswordFetched', password: new Secret('\u00aa') } as const
    const { state, effects } = handshake.step(STATES.AwaitingSaslPassword, fetched, signal)
    expect(effects).toMatchObject([{ do: 'deriveKey', iterations: 4096 }])
    const [effect] = effects
    expect(effect?.do === 'deriveKey' && effect.password.reveal()).toBe('a')
    expect(JSON.stringify(state)).not.toContain('password')
  })

  it('caps the iterations before it asks for the key', () => {
    const before = { ...STATES.AwaitingSaslChallenge, iterations: { min: 1, max: 4_095 } }
    expect(failureAfter(before, EVENTS.AuthenticationSASLContinue)).toMatchObject({ kind: 'limit', received: 4_096 })
  })

  it('believes no server whose signature is wrong', () => {
    const data = Buffer.from(`v=${Buffer.alloc(32, 8).toString('base64')}`)
    expect(failureAfter(STATES.AwaitingSaslOutcome, { type: 'AuthenticationSASLFinal', data })).toMatchObject({
      kind: 'unproven',
    })
  })

  it.each([
    ['AuthenticationKerberosV5', 'Kerberos V5'],
    ['AuthenticationGSS', 'GSSAPI'],
    ['AuthenticationSSPI', 'SSPI'],
  ] as const)('%s is named as unsupported', (type, method) => {
    expect(failureAfter(asked(), EVENTS[type])).toEqual({
      kind: 'incompatible',
      what: 'authentication method',
      offered: [method],
      supported: ['none', 'password', 'md5', 'scram-sha-256'],
    })
  })

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
  it('takes one key', () => {
    const event = { type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(4, 1) } as const
    expect(failureAfter(repeat(event, 1), event)).toMatchObject({ kind: 'misbehaved', received: 'a second one' })
  })

  it('keeps parameters in order, and the key', () => {
    const events: EventOf<'ParameterStatus' | 'BackendKeyData'>[] = [
      { type: 'ParameterStatus', name: 'TimeZone', value: 'UTC' },
      { type: 'ParameterStatus', name: 'TimeZone', value: 'Europe/Berlin' },
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
    expect(failureAfter(greeted(STATES.AwaitingReady, { protocolVersion }), event)).toMatchObject({
      kind: 'malformed',
      message: 'BackendKeyData',
      field: 'secretKey',
    })
  })

  it.each([
    ['3.0', 4],
    ['3.2', 4],
    ['3.2', 256],
  ] as const)('under %s a key of %i bytes is taken', (protocolVersion, length) => {
    const event = { type: 'BackendKeyData', processId: 1, secretKey: Buffer.alloc(length) } as const
    expect(handshake.receive(greeted(STATES.AwaitingReady, { protocolVersion }), event, signal).state.name).toBe(
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
    ['NOT_UTF8', 'Failed'],
    ['UNICODE_16', 'Failed'],
    ['\x1b[31mred', 'Failed'],
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
        offered: [value.replace('\x1b', '\ufffd')],
        supported: ['UTF8'],
      })
    }
  })

  it('bounds the length of all parameters together', () => {
    const event: Event = { type: 'ParameterStatus', name: 'abcd', value: 'x'.repeat(15_996) }
    expect(repeat(event, 4).name).toBe('AwaitingReady')
    expect(repeat(event, 5)).toMatchObject({ name: 'Failed', failure: { kind: 'limit', received: 80_000 } })
  })

  it.each([
    'AwaitingAuthentication',
    'AwaitingSaslOffer',
    'AwaitingSaslChallenge',
    'AwaitingVerdict',
    'AwaitingReady',
  ] as const)('keeps notices in %s, and bounds them', (name) => {
    const state = repeat(EVENTS.NoticeResponse, LIMITS.startupNoticesMax, STATES[name])
    expect(state).toMatchObject({ name })
    expect('greeting' in state && state.greeting.notices.length).toBe(LIMITS.startupNoticesMax)
    expect(repeat(EVENTS.NoticeResponse, 1, state)).toMatchObject({ name: 'Failed', failure: { kind: 'limit' } })
  })

  it('carries notices from the greeting to the end', () => {
    const { state } = handshake.receive(STATES.AwaitingAuthentication, EVENTS.NoticeResponse, signal)
    const inside = handshake.receive(state, EVENTS.AuthenticationOk, signal).state
    const checking = handshake.receive(inside, EVENTS.ReadyForQuery, signal).state as StateOf<'CheckingSession'>
    const anySession = greeted(checking, { sessionWanted: 'any' })
    expect(handshake.receive(anySession, EVENTS.AcceptSession, signal).state).toMatchObject({
      name: 'Ready',
      greeting: { notices: [{ severity: 'FATAL', sqlstate: '57P03' }] },
    })
  })

  it('keeps what it was told of the session, whatever is told next', () => {
    const told = [
      EVENTS.NotificationResponse,
      EVENTS.ParameterStatus,
      EVENTS.BackendKeyData,
      EVENTS.NotificationResponse,
    ]
    const state = [...told, EVENTS.ReadyForQuery].reduce<State>(
      (now, event) => handshake.receive(now, event, signal).state,
      greeted(STATES.AwaitingReady, { sessionWanted: 'any' }),
    )
    const { type: _key, ...backendKeyData } = EVENTS.BackendKeyData
    const { name, value } = EVENTS.ParameterStatus
    const facts = {
      authenticationMethod: 'scram-sha-256',
      parameters: [[name, value]],
      backendKeyData,
      notifications: 2,
    }
    expect(state).toMatchObject({ name: 'CheckingSession', ...facts })
    expect(handshake.receive(state, EVENTS.AcceptSession, signal).state).toMatchObject({ name: 'Ready', ...facts })
  })

  it('tells what the server said when it refuses', () => {
    expect(failureAfter(STATES.AwaitingVerdict, EVENTS.ErrorResponse)).toMatchObject({
      kind: 'refused',
      severity: 'FATAL',
      sqlstate: '57P03',
    })
  })
})

describe('a refusal where protocol 3.2 was asked for', () => {
  const refusal = (sqlstate: string): EventOf<'ErrorResponse'> => ({
    type: 'ErrorResponse',
    fields: [
      { code: 'S', value: 'FATAL' },
      { code: 'C', value: sqlstate },
      { code: 'M', value: 'no' },
    ],
  })
  const adviceTo = (state: State, sqlstate: string) => {
    const failure = failureAfter(state, refusal(sqlstate))
    return failure.kind === 'refused' ? failure.advice : failure.kind
  }
  const advice = 'if a pooler does not know protocol 3.2: max_protocol_version=3.0'

  it.each(['AwaitingAuthentication', 'AwaitingSaslOffer', 'AwaitingReady'] as const)(
    'is met in %s with advice, if it is what poolers say that do not know it',
    (name) => {
      const state = greeted(STATES[name], { protocolVersion: '3.2' })
      expect(['08P01', 'XX000', '28P01'].map((sqlstate) => adviceTo(state, sqlstate))).toEqual([
        advice,
        advice,
        undefined,
      ])
      expect(adviceTo(greeted(state, { protocolVersion: '3.0' }), '08P01')).toBeUndefined()
    },
  )

  it('is met without it once the version is not in question', () => {
    expect(adviceTo(STATES.AwaitingSaslOutcome, '08P01')).toBeUndefined()
    expect(adviceTo(STATES.Disconnected, 'XX000')).toBeUndefined()
  })
})

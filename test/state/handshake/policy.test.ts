import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { tlsServerEndPoint } from '../../../src/auth/channel-binding.ts'
import { parseRequireAuth, type RequireAuth } from '../../../src/auth/require-auth.ts'
import { Secret } from '../../../src/auth/secret.ts'
import type { Failure, FailureKind } from '../../../src/protocol/failure.ts'
import {
  EARLY_SASL,
  encryptionAttempts,
  guessSasl,
  mayNeedPassword,
  mayTryNextHost,
  mayTryOther,
  mayTryUnguessed,
  nextMove,
} from '../../../src/state/handshake/policy.ts'
import { type StateName, TABLE } from '../../../src/state/handshake/table.ts'
import { ATTEMPT, greeted, STATES, TLS } from './examples.ts'

const refused: Failure = { kind: 'refused', severity: 'FATAL', sqlstate: '28000', message: 'no', fields: new Map() }
const lost: Failure = { kind: 'lost', code: 'ECONNRESET', detail: '' }
const unproven: Failure = { kind: 'unproven', what: 'server certificate' }
const stateNames = Object.keys(TABLE) as StateName[]

describe('the next move on an open transport', () => {
  const moveOf = (changes: Partial<typeof ATTEMPT>, more: object = {}) =>
    nextMove({ ...STATES.Connected, ...more, attempt: { ...ATTEMPT, ...changes } })?.type

  it.each([
    ['SendStartup', { encryption: 'off' }, {}],
    ['RequestTls', { encryption: 'preferred' }, {}],
    ['RequestTls', { encryption: 'required' }, {}],
    ['StartTls', { encryption: 'required', directTls: true }, {}],
    ['SendStartup', { encryption: 'required' }, { tls: TLS }],
    ['SendStartup', { encryption: 'preferred' }, { tlsRefused: true }],
  ] as const)('is %s with %j and %j', (type, changes, more) => {
    expect(moveOf(changes, more)).toBe(type)
  })
})

describe('the other moves of our own', () => {
  it('look a name up, and dial at once where there is none', () => {
    expect(nextMove(STATES.Disconnected)).toEqual({ type: 'ResolveHost' })
    expect(nextMove({ name: 'Disconnected', attempt: { ...ATTEMPT, needsLookup: false } })).toEqual({ type: 'Dial' })
  })

  it('send a cancel request where the attempt is for one, in TLS if the session has it', () => {
    const cancelKey = { processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) }
    const state = (encryption: 'off' | 'required', tls: typeof TLS | null) =>
      ({ ...STATES.Connected, attempt: { ...ATTEMPT, encryption, cancelKey }, tls }) as const
    expect(nextMove(state('off', null))).toEqual({ type: 'SendCancel', key: cancelKey })
    expect(nextMove(state('required', null))).toEqual({ type: 'RequestTls' })
    expect(nextMove(state('required', TLS))).toEqual({ type: 'SendCancel', key: cancelKey })
  })

  it('ask for what the server has not told, once, and accept what it has', () => {
    const unknown = { ...STATES.CheckingSession, answer: null }
    expect(nextMove(unknown)).toEqual({ type: 'AskSession', question: 'SELECT pg_catalog.pg_is_in_recovery()' })
    expect(nextMove({ ...unknown, answer: 'f' })).toEqual({ type: 'AcceptSession' })
    expect(nextMove({ ...unknown, parameters: [['in_hot_standby', 'off']] })).toEqual({ type: 'AcceptSession' })
    expect(nextMove(greeted(unknown, { sessionWanted: 'any' }))).toEqual({ type: 'AcceptSession' })
  })
})

describe('a guess', () => {
  const certificate = readFileSync(new URL('../../auth/certificates/rsa-sha256.der', import.meta.url))
  const endPoint = tlsServerEndPoint(certificate)
  const inTls = { ...TLS, serverCertificate: certificate }
  const keys = { clientKey: new Secret('c'), serverKey: new Secret('s') }

  const guessFor = (requireAuth: string | null, changes: Partial<typeof ATTEMPT> = {}, tls: typeof TLS | null = null) =>
    guessSasl(
      {
        ...ATTEMPT,
        requireAuth: requireAuth === null ? null : (parseRequireAuth(requireAuth) as RequireAuth),
        ...changes,
      },
      tls,
    )
  const unbound = { mechanism: 'SCRAM-SHA-256', binding: { flag: 'n' } }
  const bound = { mechanism: 'SCRAM-SHA-256-PLUS', binding: { flag: 'p', data: endPoint } }

  /** What leaves no method but SCRAM, what leaves it among others, and what rules it out. */
  const ALONE = ['scram-sha-256', '!password,!md5,!gss,!sspi,!oauth,!none']
  const AMONG = [null, '', 'scram-sha-256,md5', 'scram-sha-256,none', '!none', '!password,!md5,!none']
  const NEVER = ['none', 'md5,password', '!scram-sha-256']
  const WISHES = [...ALONE, ...AMONG, ...NEVER]

  // By channel_binding, without TLS and in it, and by what is remembered: what is guessed if SCRAM is the only method,
  // and if it is one of several. PostgreSQL refuses 'y' where it offers -PLUS, so under prefer only what is known is guessed.
  const ROWS = [
    ['disable', null, null, unbound, null],
    ['disable', null, 'SCRAM-SHA-256', unbound, unbound],
    ['disable', null, 'SCRAM-SHA-256-PLUS', unbound, unbound],
    ['disable', inTls, null, unbound, null],
    ['disable', inTls, 'SCRAM-SHA-256', unbound, unbound],
    ['disable', inTls, 'SCRAM-SHA-256-PLUS', unbound, unbound],
    ['prefer', null, null, unbound, null],
    ['prefer', null, 'SCRAM-SHA-256', unbound, unbound],
    ['prefer', null, 'SCRAM-SHA-256-PLUS', unbound, unbound],
    ['prefer', inTls, null, null, null],
    ['prefer', inTls, 'SCRAM-SHA-256', null, null],
    ['prefer', inTls, 'SCRAM-SHA-256-PLUS', bound, bound],
    ['require', null, null, null, null],
    ['require', null, 'SCRAM-SHA-256', null, null],
    ['require', null, 'SCRAM-SHA-256-PLUS', null, null],
    ['require', inTls, null, bound, null],
    ['require', inTls, 'SCRAM-SHA-256', bound, bound],
    ['require', inTls, 'SCRAM-SHA-256-PLUS', bound, bound],
  ] as const

  describe.each(ROWS)(
    'under channel_binding=%s, TLS %j, remembered %s',
    (channelBinding, tls, remembered, alone, among) => {
      it('is made as the table says, with a password or with keys', () => {
        for (const secret of [{}, { hasPassword: false, scramKeys: keys }]) {
          const guesses = (wishes: readonly (string | null)[]) =>
            wishes.map((wish) => guessFor(wish, { channelBinding, remembered, ...secret }, tls))
          expect(guesses(ALONE)).toEqual(ALONE.map(() => alone))
          expect(guesses(AMONG)).toEqual(AMONG.map(() => among))
          expect(guesses(NEVER)).toEqual(NEVER.map(() => null))
        }
      })

      it('is not made without a secret, nor where it is switched off', () => {
        for (const wish of WISHES) {
          const facts = { channelBinding, remembered }
          expect(guessFor(wish, { ...facts, hasPassword: false }, tls)).toBeNull()
          expect(guessFor(wish, { ...facts, earlySasl: false }, tls)).toBeNull()
        }
      })
    },
  )

  it('to bind is not made where there is nothing to bind to: no certificate, or one whose signature names no hash', () => {
    const ed25519 = readFileSync(new URL('../../auth/certificates/ed25519.der', import.meta.url))
    for (const serverCertificate of [null, ed25519]) {
      expect(guessFor('scram-sha-256', { channelBinding: 'require' }, { ...TLS, serverCertificate })).toBeNull()
    }
  })

  it('is the next move, after TLS where TLS is wanted; to cancel nothing is guessed', () => {
    const attempt = {
      ...ATTEMPT,
      encryption: 'off',
      requireAuth: parseRequireAuth('scram-sha-256') as RequireAuth,
    } as const
    const state = { ...STATES.Connected, attempt }
    expect(nextMove(state)).toEqual({ type: 'SendStartupAndSasl', guess: unbound })
    expect(nextMove({ ...state, attempt: { ...attempt, encryption: 'preferred' } })).toEqual({ type: 'RequestTls' })
    const cancelKey = { processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) }
    expect(nextMove({ ...state, attempt: { ...attempt, cancelKey } })).toEqual({ type: 'SendCancel', key: cancelKey })
  })
})

describe('after a guess', () => {
  const misguessed: Failure = { kind: 'incompatible', what: EARLY_SASL, offered: ['md5'], supported: ['SCRAM-SHA-256'] }
  const violation: Failure = { ...refused, sqlstate: '08P01' }

  it('that was wrong, or not understood, the same may be tried without one; after anything else it may not', () => {
    const triedAfter = (failure: Failure) => stateNames.filter((phase) => mayTryUnguessed(phase, failure))
    expect(triedAfter(misguessed)).toEqual(['AwaitingSaslOffer'])
    expect(triedAfter(violation)).toEqual(['AwaitingSaslOffer'])
    for (const failure of [
      refused,
      lost,
      unproven,
      { kind: 'incompatible', what: 'protocol version', offered: ['3.0'], supported: ['3.2'] },
      { kind: 'policy', what: '', advice: '' },
      { kind: 'deadline', timeoutMs: 1 },
      { kind: 'aborted' },
    ] as const) {
      expect(triedAfter(failure)).toEqual([])
    }
  })
})

describe('after a first query has left', () => {
  it('the next host is tried only if the server has said no, and so has not run it', () => {
    const noRoom: Failure = { ...refused, sqlstate: '53300' }
    expect(mayTryNextHost('AwaitingSaslOutcome', noRoom, true)).toBe(true)
    expect(mayTryNextHost('AwaitingSaslOutcome', refused, true)).toBe(false)
    for (const failure of [lost, { kind: 'deadline', timeoutMs: 1 }] as const) {
      expect(mayTryNextHost('AwaitingSaslOutcome', failure, true)).toBe(false)
      expect(mayTryNextHost('AwaitingSaslOutcome', failure, false)).toBe(true)
      expect(mayTryNextHost('AwaitingSaslOutcome', failure)).toBe(true)
    }
  })
})

describe('the password', () => {
  const needs = (requireAuth: string | null, withKeys = false) =>
    mayNeedPassword({
      ...ATTEMPT,
      requireAuth: requireAuth === null ? null : (parseRequireAuth(requireAuth) as RequireAuth),
      scramKeys: withKeys ? { clientKey: new Secret('c'), serverKey: new Secret('s') } : null,
    })

  it('may be needed if any method that is allowed takes one', () => {
    expect([needs(null), needs('scram-sha-256'), needs('md5,none'), needs('password'), needs('!none')]).toEqual(
      Array(5).fill(true),
    )
    expect(needs('scram-sha-256,md5', true)).toBe(true)
  })

  it('is not needed if none does', () => {
    expect([needs('none'), needs('gss,sspi'), needs('scram-sha-256', true)]).toEqual([false, false, false])
  })

  it('is not needed for an attempt that cannot succeed: channel binding without TLS', () => {
    const attempt = { ...ATTEMPT, channelBinding: 'require' } as const
    expect(mayNeedPassword({ ...attempt, encryption: 'off' })).toBe(false)
    expect(mayNeedPassword({ ...attempt, encryption: 'required' })).toBe(true)
    expect(mayNeedPassword({ ...attempt, encryption: 'off', channelBinding: 'prefer' })).toBe(true)
  })

  it('cannot be needed where there is none', () => {
    expect(mayNeedPassword({ ...ATTEMPT, hasPassword: false })).toBe(false)
  })

  it('is not needed to cancel', () => {
    const cancelKey = { processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) }
    expect(mayNeedPassword({ ...ATTEMPT, cancelKey })).toBe(false)
  })
})

describe('sslmode', () => {
  it('means one attempt or two', () => {
    expect(encryptionAttempts('disable')).toEqual(['off'])
    expect(encryptionAttempts('allow')).toEqual(['off', 'required'])
    expect(encryptionAttempts('prefer')).toEqual(['preferred', 'off'])
    for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
      expect(encryptionAttempts(mode)).toEqual(['required'])
    }
  })

  it('require never falls back', () => {
    for (const phase of stateNames) {
      for (const failure of [refused, lost, unproven]) expect(mayTryOther('required', true, phase, failure)).toBe(false)
    }
  })

  const fallsBack = (encryption: 'off' | 'preferred', secured: boolean, failure: Failure) =>
    stateNames.filter((phase) => mayTryOther(encryption, secured, phase, failure))

  it('prefer falls back to plaintext if TLS fails, or if the server refuses inside it before it lets us in', () => {
    expect(fallsBack('preferred', true, refused)).toEqual([
      'AwaitingTlsReply',
      'AwaitingAuthentication',
      'AwaitingSaslOffer',
      'AwaitingSaslChallenge',
      'AwaitingSaslOutcome',
      'AwaitingVerdict',
    ])
    expect(fallsBack('preferred', true, lost)).toEqual(['SecuringTransport'])
    expect(fallsBack('preferred', true, unproven)).toEqual(['SecuringTransport'])
  })

  it('prefer does not try plaintext again where it was plaintext already', () => {
    expect(fallsBack('preferred', false, refused)).toEqual(['AwaitingTlsReply'])
  })

  it('allow goes on to TLS if the server refuses plaintext before it lets us in', () => {
    expect(fallsBack('off', false, refused).filter((phase) => phase !== 'AwaitingTlsReply')).toEqual([
      'AwaitingAuthentication',
      'AwaitingSaslOffer',
      'AwaitingSaslChallenge',
      'AwaitingSaslOutcome',
      'AwaitingVerdict',
    ])
  })

  it('allow goes on to TLS if we ourselves refuse to do in plaintext what the server asks; prefer never goes the other way', () => {
    const policy: Failure = { kind: 'policy', what: '', advice: '' }
    expect(fallsBack('off', false, policy)).toContain('AwaitingAuthentication')
    expect(fallsBack('off', false, policy)).not.toContain('Connected')
    expect(fallsBack('preferred', true, policy)).toEqual([])
  })

  it.each(['53300', '57P03'])('a server that refuses everybody (%s) would do so in TLS and without', (sqlstate) => {
    const failure: Failure = { ...refused, sqlstate }
    const inAnswer = (phases: readonly StateName[]) => phases.filter((phase) => phase !== 'AwaitingTlsReply')
    expect(inAnswer(fallsBack('off', false, failure))).toEqual([])
    expect(inAnswer(fallsBack('preferred', true, failure))).toEqual([])
  })

  it.each([
    { kind: 'deadline', timeoutMs: 1 },
    { kind: 'aborted' },
    { kind: 'misbehaved', expected: [], received: '' },
    { kind: 'limit', what: '', limit: 1, received: 2 },
  ] as const)('makes no second attempt after $kind', (failure) => {
    expect(fallsBack('preferred', true, failure)).toEqual([])
    expect(fallsBack('off', false, failure)).toEqual([])
  })
})

describe('the next host', () => {
  const saying = (sqlstate: string): Failure => ({ ...refused, sqlstate })
  const EVERYWHERE: readonly StateName[] = stateNames

  /** For every kind of failure: examples of it, and the phases in which another host may do better. */
  const EXPECTED: Readonly<Record<FailureKind, readonly (readonly [Failure, readonly StateName[]])[]>> = {
    lost: [
      [lost, EVERYWHERE],
      [{ kind: 'lost', code: 'FIN', detail: 'end of stream' }, EVERYWHERE],
      [{ kind: 'lost', code: 'ENOTFOUND', detail: '' }, EVERYWHERE],
    ],
    deadline: [[{ kind: 'deadline', timeoutMs: 1 }, EVERYWHERE]],
    refused: [
      // It has no room: disk_full, out_of_memory, too_many_connections.
      [saying('53100'), EVERYWHERE],
      [saying('53200'), EVERYWHERE],
      [saying('53300'), EVERYWHERE],
      // It is not up: admin_shutdown, crash_shutdown, cannot_connect_now.
      [saying('57P01'), EVERYWHERE],
      [saying('57P02'), EVERYWHERE],
      [saying('57P03'), EVERYWHERE],
      // To our question what it is, any refusal means that it is not to be had.
      ...['28P01', '28000', '3D000', '42501', '57014', '55000', 'XX000', ''].map(
        (sqlstate) => [saying(sqlstate), ['AwaitingSessionCheck']] as const,
      ),
    ],
    // target_session_attrs is judged in one state; a version or a method would be no other elsewhere.
    incompatible: [[{ kind: 'incompatible', what: '', offered: [], supported: [] }, ['CheckingSession']]],
    aborted: [[{ kind: 'aborted' }, []]],
    misbehaved: [[{ kind: 'misbehaved', expected: [], received: '' }, []]],
    malformed: [[{ kind: 'malformed', message: '', field: '', offset: 0, problem: '' }, []]],
    limit: [[{ kind: 'limit', what: '', limit: 1, received: 2 }, []]],
    unproven: [[unproven, []]],
    policy: [[{ kind: 'policy', what: '', advice: '' }, []]],
    config: [[{ kind: 'config', parameter: '', problem: '' }, []]],
  }

  it.each(
    Object.values(EXPECTED)
      .flat()
      .map(([failure, phases]) => ({
        kind: failure.kind,
        code: 'sqlstate' in failure ? failure.sqlstate : '',
        failure,
        phases,
      })),
  )('after $kind $code may be tried in these phases only', ({ failure, phases }) => {
    expect(stateNames.filter((phase) => mayTryNextHost(phase, failure))).toEqual(phases)
  })
})

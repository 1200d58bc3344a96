import { describe, expect, it } from 'vitest'
import { type Channel, type ChannelBindingPolicy, type Choice, chooseMechanism } from '../../src/auth/choose.ts'
import { failureOf } from './failure-of.ts'

const END_POINT = new Uint8Array(32).fill(7)
const PLAIN = 'SCRAM-SHA-256'
const PLUS = 'SCRAM-SHA-256-PLUS'

const CHANNELS = {
  plaintext: { secured: false, endPoint: null },
  tls: { secured: true, endPoint: END_POINT },
  // Ed25519, for instance.
  'tls without a hash': { secured: true, endPoint: null },
} as const satisfies Record<string, Channel>

/** What is decided, in one word. */
const OUTCOMES = {
  n: { mechanism: PLAIN, binding: { flag: 'n' } },
  y: { mechanism: PLAIN, binding: { flag: 'y' } },
  p: { mechanism: PLUS, binding: { flag: 'p', data: END_POINT } },
} as const satisfies Record<string, Choice>

const FAILURES = {
  /** require, and there is no TLS. */
  unencrypted: { kind: 'policy', what: 'channel binding is required, and the connection is not encrypted' },
  /** -PLUS, and there is no TLS. */
  misplaced: { kind: 'misbehaved', received: PLUS },
  /** -PLUS, and nothing to bind to. */
  unhashed: { kind: 'policy', what: expect.stringContaining('names no hash') },
  /** require, and no -PLUS. */
  unoffered: { kind: 'policy', what: expect.stringContaining('does not offer SCRAM-SHA-256-PLUS') },
  /** Nothing in common. */
  incompatible: { kind: 'incompatible', what: 'SASL mechanism' },
} as const

type Cell = keyof typeof OUTCOMES | keyof typeof FAILURES
type Row = Readonly<Record<ChannelBindingPolicy, Cell>>

/** libpq's rules, cell by cell: pg_SASL_init and build_client_first_message of PostgreSQL 18. */
const RULES: Readonly<Record<'neither' | 'plain' | 'plus' | 'both', Readonly<Record<keyof typeof CHANNELS, Row>>>> = {
  neither: {
    plaintext: { disable: 'incompatible', prefer: 'incompatible', require: 'unencrypted' },
    tls: { disable: 'incompatible', prefer: 'incompatible', require: 'incompatible' },
    'tls without a hash': { disable: 'incompatible', prefer: 'incompatible', require: 'incompatible' },
  },
  plain: {
    plaintext: { disable: 'n', prefer: 'n', require: 'unencrypted' },
    tls: { disable: 'n', prefer: 'y', require: 'unoffered' },
    'tls without a hash': { disable: 'n', prefer: 'y', require: 'unoffered' },
  },
  plus: {
    plaintext: { disable: 'misplaced', prefer: 'misplaced', require: 'unencrypted' },
    tls: { disable: 'incompatible', prefer: 'p', require: 'p' },
    'tls without a hash': { disable: 'incompatible', prefer: 'unhashed', require: 'unhashed' },
  },
  both: {
    plaintext: { disable: 'misplaced', prefer: 'misplaced', require: 'unencrypted' },
    tls: { disable: 'n', prefer: 'p', require: 'p' },
    'tls without a hash': { disable: 'n', prefer: 'unhashed', require: 'unhashed' },
  },
}

/** Every list that offers this, in either order, and among others. */
const LISTS: Readonly<Record<keyof typeof RULES, readonly (readonly string[])[]>> = {
  neither: [[], ['OAUTHBEARER'], ['scram-sha-256', 'SCRAM-SHA-2560', 'SCRAM-SHA-1', 'SCRAM-SHA-256-plus', '']],
  plain: [[PLAIN], ['OAUTHBEARER', PLAIN], [PLAIN, PLAIN, 'SCRAM-SHA-512-PLUS']],
  plus: [[PLUS], ['OAUTHBEARER', PLUS]],
  both: [
    [PLUS, PLAIN],
    [PLAIN, PLUS],
    ['OAUTHBEARER', PLAIN, 'X', PLUS],
  ],
}

describe('the choice of a SASL mechanism', () => {
  for (const offer of Object.keys(RULES) as (keyof typeof RULES)[]) {
    for (const channel of Object.keys(CHANNELS) as (keyof typeof CHANNELS)[]) {
      for (const policy of ['disable', 'prefer', 'require'] as const) {
        const cell = RULES[offer][channel][policy]
        it(`is ${cell} if ${offer} is offered, over ${channel}, with channel_binding=${policy}`, () => {
          for (const offered of LISTS[offer]) {
            const choose = () => chooseMechanism(offered, policy, CHANNELS[channel])
            if (cell in OUTCOMES) expect(choose()).toEqual(OUTCOMES[cell as keyof typeof OUTCOMES])
            else expect(failureOf(choose)).toMatchObject(FAILURES[cell as keyof typeof FAILURES])
          }
        })
      }
    }
  }

  it('advises what to do about each refusal by policy', () => {
    const advice = (offered: readonly string[], policy: ChannelBindingPolicy, channel: Channel) =>
      failureOf(() => chooseMechanism(offered, policy, channel))
    expect(advice([PLAIN], 'require', CHANNELS.plaintext)).toMatchObject({ advice: expect.stringContaining('sslmode') })
    expect(advice([PLAIN], 'require', CHANNELS.tls)).toMatchObject({ advice: expect.stringContaining('prefer') })
    expect(advice([PLUS], 'prefer', CHANNELS['tls without a hash'])).toMatchObject({
      advice: expect.stringContaining('verify-full'),
    })
  })

  it('names what we would have spoken, if there is nothing in common', () => {
    const supported = (policy: ChannelBindingPolicy, channel: Channel) =>
      failureOf(() => chooseMechanism(['GSS-SPNEGO'], policy, channel))
    expect(supported('prefer', CHANNELS.plaintext)).toMatchObject({ offered: ['GSS-SPNEGO'], supported: [PLAIN] })
    expect(supported('disable', CHANNELS.tls)).toMatchObject({ supported: [PLAIN] })
    expect(supported('prefer', CHANNELS.tls)).toMatchObject({ supported: [PLUS, PLAIN] })
  })

  it('does not pass on a name that is no mechanism name', () => {
    const offered = ['GSSAPI', '\u001b[2J', 'A'.repeat(21), '']
    const failure = failureOf(() => chooseMechanism(offered, 'prefer', CHANNELS.plaintext))
    const stranger = '(not a mechanism name)'
    expect(failure).toMatchObject({ offered: ['GSSAPI', stranger, stranger, stranger] })
  })
})

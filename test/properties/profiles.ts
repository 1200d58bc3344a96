/**
 * Lawful handshakes as a server's bytes see them: how many it sends until the client waits elsewhere. Counted by hand from
 * #PROTOCOL-MESSAGE-FORMATS, so that neither the codec nor the machine says where a boundary is.
 */

import type { StateName } from '../../src/state/handshake/table.ts'
import type { Plan, ServerPlan } from '../../src/testing/index.ts'

/** So many bytes arrive while the client waits in this state. */
type Stretch = readonly [lengthBytes: number, phase: StateName]

export interface Profile {
  readonly name: string
  readonly plan: Plan
  readonly stretches: readonly Stretch[]
}

export const TIMEOUT_MS = 1_000

const SERVER: ServerPlan = {
  method: 'trust',
  tls: 'off',
  certificate: 'ecdsa-with-SHA256',
  bindsChannel: false,
  refusesEarlySasl: false,
  version: '3.0',
  sendsKey: true,
  isStandby: false,
  isReadOnly: false,
  reportsStandby: false,
  parameters: 0,
  notices: 0,
}

/** One server behind one address of one name; everything is at once. */
export function planFor(server: Partial<ServerPlan> = {}, client: Partial<Plan['client']> = {}): Plan {
  const network = { patienceMs: 0, pieceBytesMax: 10_000, backPressure: false }
  const address = { dial: 'opens', family: 4, server: { ...SERVER, ...server }, network, fault: null } as const
  return {
    seed: 1,
    client: {
      timeoutMs: TIMEOUT_MS,
      sslmode: 'disable',
      allowCleartextPassword: server.method === 'password',
      requireAuth: null,
      minVersion: '3.0',
      maxVersion: '3.0',
      wanted: 'any',
      channelBinding: 'prefer',
      loadBalanceHosts: 'disable',
      earlySasl: true,
      remembers: null,
      bringsKeys: false,
      firstQuery: null,
      passwordMs: null,
      derivationMs: 0,
      ...client,
    },
    hosts: [{ name: 'db.example', written: 'name', lookup: 'answers', lookupMs: 0, addresses: [address] }],
    interruption: null,
    afterwards: null,
    expected: null,
  }
}

/** 'R', Int32 9 - 1, Int32 code. */
const REQUEST = 9
/** The same with a salt of four bytes. */
const MD5_REQUEST = 13
/** 'R', length, code, 'SCRAM-SHA-256' and NUL, NUL. */
const SASL = 9 + 14 + 1
/** With 'SCRAM-SHA-256-PLUS' and NUL before it. */
const SASL_PLUS = 9 + 19 + 14 + 1
/** 'R', length, code, 'r=' and 24 + 6 characters, ',s=' and 24, ',i=16'. */
const SASL_CONTINUE = 9 + 32 + 27 + 5
/** 'R', length, code, 'v=' and 44 characters. */
const SASL_FINAL = 9 + 46
/** 'S', length, 'server_version' and NUL, '18.4' and NUL. */
const SERVER_VERSION = 5 + 15 + 5
/** 'S', length, 'in_hot_standby' and NUL, 'off' and NUL. */
const IN_HOT_STANDBY = 5 + 15 + 4
/** 'S', length, 'default_transaction_read_only' and NUL, 'off' and NUL. */
const READ_ONLY = 5 + 30 + 4
/** 'K', length, process ID, four bytes; under 3.2 PostgreSQL sends 32. */
const KEY = 5 + 4 + 4
const KEY_32 = 5 + 4 + 32
/** 'Z', length, 'I'. */
const READY = 6
/** 'v', length, version, no options. */
const NEGOTIATE = 5 + 4 + 4
/** 'T' with 'pg_is_in_recovery' and NUL and 18 bytes of one column; 'D' with 't' or 'f'; 'C' with 'SELECT 1'; 'Z'. */
const CHECK = 5 + 2 + 18 + 18 + (5 + 2 + 4 + 1) + (5 + 9) + READY

const GREETING: Stretch = [SERVER_VERSION + KEY + READY, 'AwaitingReady']
const SCRAM: readonly Stretch[] = [
  [SASL, 'AwaitingAuthentication'],
  [SASL_CONTINUE, 'AwaitingSaslChallenge'],
  [SASL_FINAL, 'AwaitingSaslOutcome'],
  [REQUEST, 'AwaitingVerdict'],
]

export const PROFILES: readonly Profile[] = [
  { name: 'trust', plan: planFor(), stretches: [[REQUEST, 'AwaitingAuthentication'], GREETING] },
  {
    name: 'password',
    plan: planFor({ method: 'password' }),
    stretches: [[REQUEST, 'AwaitingAuthentication'], [REQUEST, 'AwaitingVerdict'], GREETING],
  },
  {
    name: 'md5',
    plan: planFor({ method: 'md5' }),
    stretches: [[MD5_REQUEST, 'AwaitingAuthentication'], [REQUEST, 'AwaitingVerdict'], GREETING],
  },
  { name: 'SCRAM', plan: planFor({ method: 'scram-sha-256' }), stretches: [...SCRAM, GREETING] },
  {
    name: 'SCRAM in TLS',
    plan: planFor({ method: 'scram-sha-256', tls: 'on' }, { sslmode: 'require' }),
    stretches: [[1, 'AwaitingTlsReply'], [0, 'SecuringTransport'], ...SCRAM, GREETING],
  },
  {
    name: 'SCRAM bound to TLS',
    plan: planFor(
      { method: 'scram-sha-256', tls: 'on', bindsChannel: true },
      { sslmode: 'require', channelBinding: 'require' },
    ),
    stretches: [
      [1, 'AwaitingTlsReply'],
      [0, 'SecuringTransport'],
      [SASL_PLUS, 'AwaitingAuthentication'],
      ...SCRAM.slice(1),
      GREETING,
    ],
  },
  {
    name: 'SCRAM in TLS from the first byte',
    plan: planFor({ method: 'scram-sha-256', tls: 'direct' }, { sslmode: 'verify-full' }),
    stretches: [[0, 'SecuringTransport'], ...SCRAM, GREETING],
  },
  {
    name: 'md5 where TLS is refused',
    plan: planFor({ method: 'md5' }, { sslmode: 'prefer' }),
    stretches: [
      [1, 'AwaitingTlsReply'],
      [MD5_REQUEST, 'AwaitingAuthentication'],
      [REQUEST, 'AwaitingVerdict'],
      GREETING,
    ],
  },
  {
    name: 'protocol 3.2',
    plan: planFor({ version: '3.2' }, { maxVersion: '3.2' }),
    stretches: [
      [REQUEST, 'AwaitingAuthentication'],
      [SERVER_VERSION + KEY_32 + READY, 'AwaitingReady'],
    ],
  },
  {
    name: 'protocol 3.0 where 3.2 was asked for',
    plan: planFor({}, { maxVersion: '3.2' }),
    stretches: [[NEGOTIATE + REQUEST, 'AwaitingAuthentication'], GREETING],
  },
  {
    name: 'a primary that says so',
    plan: planFor({ reportsStandby: true }, { wanted: 'primary' }),
    stretches: [
      [REQUEST, 'AwaitingAuthentication'],
      [SERVER_VERSION + IN_HOT_STANDBY + READ_ONLY + KEY + READY, 'AwaitingReady'],
    ],
  },
  {
    name: 'a primary that has to be asked',
    plan: planFor({}, { wanted: 'primary' }),
    stretches: [[REQUEST, 'AwaitingAuthentication'], GREETING, [CHECK, 'AwaitingSessionCheck']],
  },
  {
    name: 'a pooler without keys',
    plan: planFor({ sendsKey: false }),
    stretches: [
      [REQUEST, 'AwaitingAuthentication'],
      [SERVER_VERSION + READY, 'AwaitingReady'],
    ],
  },
]

/** All the bytes that the server sends. */
export function lengthOf({ stretches }: Profile): number {
  return stretches.reduce((sum, [lengthBytes]) => sum + lengthBytes, 0)
}

/** Where the client waits when so many bytes have come and no more; a handshake of TLS is waited for without any. */
export function phaseAt({ stretches }: Profile, bytes: number): StateName {
  let end = 0
  for (const [lengthBytes, phase] of stretches) {
    end += lengthBytes
    if (bytes < end || (lengthBytes === 0 && bytes === end)) return phase
  }
  return 'Ready'
}

/** The same handshake with something changed at its only server. */
export function atServer(plan: Plan, change: Partial<Plan['hosts'][number]['addresses'][number]>): Plan {
  return {
    ...plan,
    hosts: plan.hosts.map((host) => ({
      ...host,
      addresses: host.addresses.map((address) => ({ ...address, ...change })),
    })),
  }
}

/**
 * A plan drawn from a seed: about half of them are honest servers on networks that heal in time, which must be reached; the
 * others have one fault, or a caller who interferes.
 */
import type { FailureKind } from '../../protocol/failure.ts'
import type { StateName } from '../../state/handshake/table.ts'
import { CERTIFICATE_SIGNATURES } from '../certificate-shape.ts'
import type {
  AddressPlan,
  Afterwards,
  ClientPlan,
  Expectation,
  HostPlan,
  Interruption,
  NetworkPlan,
  Plan,
  ServerPlan,
  SimulatedFault,
} from './plan.ts'
import { Random } from './random.ts'

/**
 * Parts of a host's share of the deadline that an honest world takes at most. Together with the wait for a connection (an
 * eighth of what the network takes) and with black holes they leave something over.
 */
const PARTS = { lookup: 0.1, network: 0.5, password: 0.1, derivation: 0.15, blackHoles: 0.085 }
/** The same where many of the addresses are black holes. */
const RACING_PARTS = { ...PARTS, network: 0.2, blackHoles: 0.42 }
/** RFC 8305: so long does an address without an answer keep the next one waiting. */
const BLACK_HOLE_MS = 250

export function planOf(seed: number): Plan {
  const random = new Random(seed)
  // Long ones are dear: the client looks at the clock every 50 ms.
  const timeoutMs = random.chance(90) ? random.pick([60, 100, 250, 500, 1_000]) : random.pick([3_000, 10_000])
  const hostCount = random.chance(85) ? 1 : random.whole(2, 3)
  const { client, server, shareMs } = drawParties(random, timeoutMs, hostCount)
  const honest: Plan = {
    seed,
    client,
    hosts: Array.from({ length: hostCount }, (_, index) => {
      const isLast = index + 1 === hostCount
      return isLast ? drawHost(random, index, { client, server }, shareMs) : drawLostHost(random, index, client, server)
    }),
    interruption: null,
    afterwards: timeoutMs <= 1_000 && random.chance(10) ? drawAfterwards(random, timeoutMs) : null,
    expected: { outcome: 'ready' },
  }
  if (random.chance(45)) return honest
  if (random.chance(20)) return { ...honest, interruption: drawInterruption(random, timeoutMs), expected: null }
  if (random.chance(15)) return drawSlowness(random, honest)
  if (random.chance(10)) return drawUnsuited(random, honest)
  return withFault(honest, drawFault(random, honest))
}

/** A plan whose last host has a fault. What must come of it is known where there is one host only. */
export function withFault(plan: Plan, fault: SimulatedFault): Plan {
  const hosts = plan.hosts.map((host, index) => {
    if (index + 1 < plan.hosts.length) return host
    return { ...host, addresses: host.addresses.map((address) => ({ ...address, fault })) }
  })
  return { ...plan, hosts, expected: plan.hosts.length === 1 ? expectationOf(plan, fault) : null }
}

interface Parties {
  readonly client: ClientPlan
  readonly server: ServerPlan
}

/** Client and server that suit each other, and what of the deadline is there for one attempt. */
function drawParties(random: Random, timeoutMs: number, hostCount: number): Parties & { readonly shareMs: number } {
  const sslmode = random.pick(['disable', 'disable', 'disable', 'allow', 'prefer', 'require', 'verify-full'] as const)
  const mustSecure = sslmode === 'require' || sslmode === 'verify-full'
  const tls = random.pick(mustSecure ? (['on', 'on', 'direct'] as const) : (['off', 'on'] as const))
  const method = random.pick(['trust', 'password', 'md5', 'scram-sha-256', 'scram-sha-256'] as const)
  const isScram = method === 'scram-sha-256'
  const version = random.pick(['3.0', '3.2'] as const)
  const maxVersion = random.pick(['3.0', '3.2'] as const)
  const isStandby = random.chance(30)
  const isReadOnly = random.chance(20)
  const bindsChannel = random.chance(80)
  const isSecured = tls !== 'off' && sslmode !== 'disable' && sslmode !== 'allow'
  const canBind = isScram && bindsChannel && isSecured
  const channelBinding = random.pick(['prefer', 'prefer', 'disable', canBind ? 'require' : 'prefer'] as const)
  const wanted = random.chance(70) ? 'any' : random.pick(suitable(isStandby, isReadOnly))
  const requireAuth = isScram && random.chance(50) ? method : null
  const earlySasl = random.chance(85)
  const known = random.pick([null, 'SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'waits'] as const)
  const remembers = random.chance(20) ? { known } : null
  const bringsKeys = isScram && random.chance(10)
  // A second pass over the hosts, and a wrong guess.
  const attemptsMax = (wanted === 'prefer-standby' ? 2 : 1) * (remembers === null ? 1 : 2)
  const shareMs = timeoutMs / hostCount / attemptsMax
  return {
    shareMs,
    server: {
      method,
      tls,
      certificate: random.pick(
        CERTIFICATE_SIGNATURES.filter(
          (one) => one !== 'Ed25519' || !isScram || !bindsChannel || channelBinding === 'disable',
        ),
      ),
      bindsChannel,
      refusesEarlySasl: random.chance(10) && (remembers !== null || requireAuth === null || !earlySasl),
      version,
      sendsKey: random.chance(85),
      isStandby,
      isReadOnly,
      reportsStandby: random.chance(50),
      parameters: random.whole(0, 4),
      notices: random.chance(20) ? random.whole(1, 3) : 0,
    },
    client: {
      timeoutMs,
      sslmode,
      channelBinding,
      allowCleartextPassword: method === 'password' && !mustSecure,
      requireAuth,
      minVersion: version === '3.2' && maxVersion === '3.2' && random.chance(30) ? '3.2' : '3.0',
      maxVersion,
      wanted,
      loadBalanceHosts: random.chance(20) ? 'random' : 'disable',
      earlySasl,
      remembers,
      bringsKeys,
      firstQuery: wanted === 'any' && random.chance(20) ? { allowUnverified: random.chance(50) } : null,
      passwordMs: bringsKeys || random.chance(80) ? null : part(random, shareMs, PARTS.password),
      derivationMs: part(random, shareMs, PARTS.derivation),
    },
  }
}

function suitable(isStandby: boolean, isReadOnly: boolean): readonly ClientPlan['wanted'][] {
  return [
    isStandby ? 'standby' : 'primary',
    isStandby || isReadOnly ? 'read-only' : 'read-write',
    'prefer-standby',
    'prefer-standby',
  ]
}

function drawHost(random: Random, index: number, { client, server }: Parties, shareMs: number): HostPlan {
  const parts = random.chance(10) ? RACING_PARTS : PARTS
  const network = drawNetwork(random, shareMs * parts.network)
  const mayBeLocal =
    client.channelBinding !== 'require' && (server.method !== 'password' || client.allowCleartextPassword)
  const written = random.chance(75)
    ? 'name'
    : random.pick(['hostaddr', 'address', mayBeLocal ? 'directory' : 'address'] as const)
  const opening: AddressPlan = { dial: 'opens', family: random.pick([4, 6]), server, network, fault: null }
  const host: HostPlan = {
    name: written === 'directory' ? `/host-${index}` : `host-${index}.example`,
    written,
    lookup: 'answers',
    lookupMs: part(random, shareMs, PARTS.lookup),
    addresses: [opening],
  }
  if (written === 'directory') return { ...host, addresses: [{ ...opening, server: { ...server, tls: 'off' } }] }
  if (written !== 'name') return host
  const blackHolesMax = Math.floor((shareMs * parts.blackHoles) / BLACK_HOLE_MS)
  const isRacing = parts === RACING_PARTS || random.chance(30)
  const blackHoles = isRacing ? random.whole(0, Math.min(parts === RACING_PARTS ? 12 : 3, blackHolesMax)) : 0
  const refusals = random.chance(30) ? random.whole(0, 2) : 0
  const lost = [
    ...Array<'black hole'>(blackHoles).fill('black hole'),
    ...Array<'ECONNREFUSED'>(refusals).fill('ECONNREFUSED'),
  ].map(
    (dial): AddressPlan => ({
      ...opening,
      dial,
      family: random.pick([4, 6]),
      network: { ...network, patienceMs: 0 },
    }),
  )
  const addresses = [...lost, opening, ...(random.chance(15) ? [opening] : [])]
  return { ...host, addresses: random.chance(50) ? addresses : addresses.reverse() }
}

/** A host that is passed over, at once or when its share of the deadline is gone. */
function drawLostHost(random: Random, index: number, client: ClientPlan, server: ServerPlan): HostPlan {
  const network = { patienceMs: 0, pieceBytesMax: 1_000, backPressure: false }
  const address: AddressPlan = { dial: 'ECONNREFUSED', family: random.pick([4, 6]), server, network, fault: null }
  const name = `host-${index}.example`
  const host: HostPlan = { name, written: 'name', lookup: 'answers', lookupMs: 0, addresses: [address] }
  const opening = (change: Partial<AddressPlan>): HostPlan => ({
    ...host,
    addresses: [{ ...address, dial: 'opens', ...change }],
  })
  return random.pick([
    host,
    { ...host, addresses: [address, { ...address, dial: 'EHOSTUNREACH' as const }] },
    { ...host, addresses: [{ ...address, dial: 'black hole' as const }] },
    { ...host, written: 'address' as const },
    { ...host, name: `/host-${index}`, written: 'directory' as const },
    opening({ fault: { kind: 'silence', at: 0 } }),
    opening({ fault: { kind: 'rst', at: 0 } }),
    opening({ fault: { kind: 'refuse', at: 0 } }),
    { ...host, lookup: 'ENOTFOUND' as const },
    { ...host, lookup: 'hangs' as const },
    // Not what is wanted; where a standby is only preferred, it is the better one of the two or the worse.
    ...(client.wanted === 'any'
      ? []
      : Array<HostPlan>(5).fill(opening({ server: { ...server, ...opposite(client.wanted, server) } }))),
  ])
}

function opposite(wanted: ClientPlan['wanted'], { isStandby }: ServerPlan): Partial<ServerPlan> {
  if (wanted === 'read-write') return { isReadOnly: true }
  return wanted === 'read-only' ? { isStandby: false, isReadOnly: false } : { isStandby: !isStandby }
}

/** A query that goes on and on, and cancel() or close() meanwhile. */
function drawAfterwards(random: Random, timeoutMs: number): Afterwards {
  const afterMs = random.whole(0, 200)
  return {
    // A cancel request that takes all of its time must be in time for the query all the same.
    queryTimeoutMs: afterMs + 3 * timeoutMs,
    how: random.chance(80) ? 'cancel' : 'close',
    afterMs,
    timeoutMs,
    cancel: random.chance(50) ? { dial: 'opens', fault: null } : drawCancelFault(random),
  }
}

function drawCancelFault(random: Random): Afterwards['cancel'] {
  const at = random.whole(0, 1)
  return random.pick<Afterwards['cancel']>([
    ...(['ECONNREFUSED', 'EHOSTUNREACH', 'black hole'] as const).map((dial) => ({ dial, fault: null })),
    ...(['fin', 'rst', 'silence'] as const).map((kind) => ({ dial: 'opens' as const, fault: { kind, at } })),
    ...(
      [
        ...['no goodbye', 'TLS refused', 'TLS error', 'bytes before TLS', 'TLS breaks', 'TLS hangs'],
        ...['bad certificate', 'foreign ALPN', 'another certificate'],
      ] as const
    ).map((kind) => ({ dial: 'opens' as const, fault: { kind } as SimulatedFault })),
  ])
}

function drawNetwork(random: Random, mostMs: number): NetworkPlan {
  return {
    patienceMs: random.chance(20) ? 0 : part(random, mostMs, 1),
    // Byte by byte is dear, and the properties do it exhaustively.
    pieceBytesMax: random.chance(3) ? 1 : random.pick([20, 100, 1_000, 1_000]),
    backPressure: random.chance(20),
  }
}

function drawInterruption(random: Random, timeoutMs: number): Interruption {
  const atMs = random.whole(0, Math.ceil(timeoutMs * 1.1))
  const how = random.pick(['abort', 'close', 'block'] as const)
  return how === 'block' ? { how, atMs, forMs: random.whole(1, timeoutMs) } : { how, atMs }
}

/** Something takes longer than there is time. */
function drawSlowness(random: Random, plan: Plan): Plan {
  const { client, hosts } = plan
  const [host, ...others] = hosts
  if (host === undefined || others.length > 0) return plan
  const { method } = host.addresses.at(-1)?.server ?? {}
  const tooLongMs = client.timeoutMs * 2
  const change = (how: Partial<HostPlan>, kind: FailureKind, phase: StateName): Plan => {
    return { ...plan, hosts: [{ ...host, ...how }], expected: { outcome: 'failed', kinds: [kind], phase } }
  }
  const wait = (how: Partial<ClientPlan>, phase: StateName): Plan => {
    return { ...plan, client: { ...client, ...how }, expected: { outcome: 'failed', kinds: ['deadline'], phase } }
  }
  const all = (dial: AddressPlan['dial']) => host.addresses.map((address) => ({ ...address, dial }))
  return random.pick([
    ...(host.written === 'name'
      ? [
          change({ lookup: 'hangs' }, 'deadline', 'ResolvingHost'),
          change({ lookupMs: tooLongMs }, 'deadline', 'ResolvingHost'),
          change({ lookup: 'ENOTFOUND' }, 'lost', 'ResolvingHost'),
        ]
      : []),
    change({ addresses: all('black hole') }, 'deadline', 'Dialing'),
    change({ addresses: all('ECONNREFUSED') }, 'lost', 'Dialing'),
    ...(method === 'scram-sha-256' && !client.bringsKeys
      ? [wait({ derivationMs: tooLongMs }, 'DerivingSaslKey'), wait({ passwordMs: tooLongMs }, 'AwaitingSaslPassword')]
      : []),
    ...(method === 'password' || method === 'md5' ? [wait({ passwordMs: tooLongMs }, 'AwaitingPassword')] : []),
  ])
}

/** Nothing is wrong with either of them, and they do not go together. */
function drawUnsuited(random: Random, plan: Plan): Plan {
  const { client, hosts } = plan
  const [host, ...others] = hosts
  const server = host?.addresses.at(-1)?.server
  if (host === undefined || server === undefined || others.length > 0 || client.sslmode === 'prefer') return plan
  const isSecured = server.tls !== 'off' && client.sslmode !== 'disable'
  const unsuited = (
    of: { client?: Partial<ClientPlan>; server?: Partial<ServerPlan> },
    ...kinds: FailureKind[]
  ): Plan => ({
    ...plan,
    client: { ...client, ...of.client },
    hosts: [
      {
        ...host,
        addresses: host.addresses.map((address) => ({
          ...address,
          server: { ...address.server, refusesEarlySasl: false, ...of.server },
        })),
      },
    ],
    expected: { outcome: 'failed', kinds },
  })
  // As in libpq: what is to be bound to TLS is not begun without it, and that is no reason to try TLS.
  if (client.sslmode === 'allow') return unsuited({ client: { channelBinding: 'require' } }, 'policy')
  const scram = { method: 'scram-sha-256', bindsChannel: true } as const
  const other = random.pick(['trust', 'password', 'md5'] as const)
  return random.pick([
    unsuited({ client: { minVersion: '3.2', maxVersion: '3.2' }, server: { version: '3.0' } }, 'incompatible'),
    unsuited({ client: { requireAuth: 'scram-sha-256' }, server: { method: other } }, 'policy', 'incompatible'),
    unsuited({ client: { wanted: 'primary', firstQuery: null }, server: { isStandby: true } }, 'incompatible'),
    unsuited({ client: { wanted: 'read-write', firstQuery: null }, server: { isReadOnly: true } }, 'incompatible'),
    ...(isSecured
      ? [
          unsuited(
            { client: { channelBinding: 'require' }, server: { ...scram, bindsChannel: false } },
            'policy',
            'incompatible',
          ),
          unsuited({ client: { channelBinding: 'prefer' }, server: { ...scram, certificate: 'Ed25519' } }, 'policy'),
          unsuited({ client: { channelBinding: 'require', requireAuth: null }, server: { method: other } }, 'policy'),
        ]
      : [
          unsuited({ client: { channelBinding: 'require' } }, 'policy'),
          unsuited(
            {
              client: { requireAuth: 'scram-sha-256', earlySasl: true, remembers: null, channelBinding: 'prefer' },
              server: { ...scram, refusesEarlySasl: true },
            },
            'refused',
          ),
        ]),
  ])
}

function drawFault(random: Random, { client, hosts }: Plan): SimulatedFault {
  const { method, tls } = hosts.at(-1)?.addresses.at(-1)?.server ?? {}
  const byte = random.whole(0, 450)
  const message = random.whole(0, 9)
  const everyMs = random.whole(1, client.timeoutMs)
  const named = [
    ...(method === 'scram-sha-256'
      ? (['foreign nonce', 'wrong signature', 'no signature', 'wrong password'] as const)
      : []),
    ...(method === 'password' || method === 'md5' ? (['wrong password'] as const) : []),
    ...(tls === 'on' && client.sslmode !== 'disable'
      ? (['TLS refused', 'TLS error', 'bytes before TLS'] as const)
      : []),
    ...(tls !== 'off' && client.sslmode !== 'disable'
      ? ([
          ...(['TLS breaks', 'TLS hangs', 'bad certificate', 'foreign ALPN'] as const),
          ...(['another certificate', 'another certificate and no offer to bind'] as const),
        ] as const)
      : []),
    'unsupported method' as const,
    'no goodbye' as const,
  ]
  return random.pick<SimulatedFault>([
    { kind: 'fin', at: byte },
    { kind: 'rst', at: byte },
    { kind: 'silence', at: byte },
    { kind: 'flip', at: byte, bit: random.whole(0, 7) },
    { kind: 'flip', at: byte, bit: random.whole(0, 7) },
    { kind: 'skip', at: message },
    { kind: 'repeat', at: message },
    { kind: 'inject', at: message },
    { kind: 'refuse', at: message },
    { kind: 'drip', at: byte, everyMs },
    { kind: 'flood', at: message, everyMs },
    ...named.map((kind) => ({ kind })),
    ...named.map((kind) => ({ kind })),
  ])
}

/** What must come of a fault that cannot pass unnoticed. */
function expectationOf({ client, hosts }: Plan, fault: SimulatedFault): Expectation | null {
  const { sslmode, channelBinding } = client
  const server = hosts.at(-1)?.addresses.at(-1)?.server
  const isBindable = server?.method === 'scram-sha-256' && server.bindsChannel && channelBinding !== 'disable'
  const mustSecure = sslmode === 'require' || sslmode === 'verify-full'
  const failed = (phase: StateName | undefined, ...kinds: FailureKind[]): Expectation => {
    return phase === undefined ? { outcome: 'failed', kinds } : { outcome: 'failed', kinds, phase }
  }
  switch (fault.kind) {
    case 'foreign nonce':
      return failed('AwaitingSaslChallenge', 'unproven')
    case 'wrong signature':
      return failed('AwaitingSaslOutcome', 'unproven')
    case 'no signature':
      return failed('AwaitingSaslOutcome', 'misbehaved')
    case 'wrong password':
      // A refusal may be followed by another attempt, which may end in another way or come to no end in time.
      return sslmode === 'allow' || sslmode === 'prefer'
        ? failed(undefined, 'refused', 'policy', 'deadline')
        : failed(undefined, 'refused')
    case 'unsupported method':
      // Where nothing but SCRAM is allowed it may have been begun already, which is another state.
      return failed(
        client.requireAuth === null && client.remembers === null ? 'AwaitingAuthentication' : undefined,
        'incompatible',
      )
    case 'TLS refused':
      return mustSecure ? failed('AwaitingTlsReply', 'policy') : null
    case 'TLS error':
      return mustSecure ? failed('AwaitingTlsReply', 'refused') : null
    case 'bytes before TLS':
      return mustSecure ? failed(undefined, 'misbehaved', 'malformed', 'lost') : null
    case 'TLS breaks':
      return mustSecure ? failed('SecuringTransport', 'lost') : null
    case 'TLS hangs':
      return mustSecure ? failed('SecuringTransport', 'deadline') : null
    case 'bad certificate':
      return sslmode === 'verify-full' ? failed('SecuringTransport', 'unproven') : null
    case 'another certificate':
      if (sslmode === 'verify-full') return failed('SecuringTransport', 'unproven')
      return sslmode === 'require' && isBindable ? failed('AwaitingSaslOutcome', 'refused') : null
    case 'another certificate and no offer to bind':
      if (sslmode === 'verify-full') return failed('SecuringTransport', 'unproven')
      if (sslmode !== 'require' || !isBindable) return null
      return channelBinding === 'require' ? failed(undefined, 'policy', 'incompatible') : failed(undefined, 'refused')
    case 'no goodbye':
      return { outcome: 'ready' }
    case 'foreign ALPN':
      return mustSecure ? failed('SecuringTransport', 'misbehaved') : null
    default:
      return null
  }
}

function part(random: Random, wholeMs: number, share: number): number {
  return random.whole(0, Math.floor(wholeMs * share))
}

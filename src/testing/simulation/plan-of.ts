/**
 * A plan drawn from a seed: about half of them are honest servers on networks that heal in time, which must be reached; the
 * others have one fault, or a caller who interferes.
 */
import type { FailureKind } from '../../protocol/failure.ts'
import type { StateName } from '../../state/handshake/table.ts'
import type {
  AddressPlan,
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
/** RFC 8305: so long does an address without an answer keep the next one waiting. */
const BLACK_HOLE_MS = 250

export function planOf(seed: number): Plan {
  const random = new Random(seed)
  // Long ones are dear: the client looks at the clock every 50 ms.
  const timeoutMs = random.chance(90) ? random.pick([60, 100, 250, 500, 1_000]) : random.pick([3_000, 10_000])
  const hostCount = random.chance(85) ? 1 : random.whole(2, 3)
  const shareMs = timeoutMs / hostCount
  const { client, server } = drawParties(random, timeoutMs, shareMs)
  const honest: Plan = {
    seed,
    client,
    hosts: Array.from({ length: hostCount }, (_, index) => {
      return index + 1 === hostCount ? drawHost(random, index, server, shareMs) : drawLostHost(random, index, server)
    }),
    interruption: null,
    expected: { outcome: 'ready' },
  }
  if (random.chance(45)) return honest
  if (random.chance(20)) return { ...honest, interruption: drawInterruption(random, timeoutMs), expected: null }
  if (random.chance(20)) return drawSlowness(random, honest)
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

/** Client and server that suit each other. */
function drawParties(random: Random, timeoutMs: number, shareMs: number): { client: ClientPlan; server: ServerPlan } {
  const sslmode = random.pick(['disable', 'disable', 'disable', 'allow', 'prefer', 'require', 'verify-full'] as const)
  const mustSecure = sslmode === 'require' || sslmode === 'verify-full'
  const tls = random.pick(mustSecure ? (['on', 'on', 'direct'] as const) : (['off', 'on'] as const))
  const method = random.pick(['trust', 'password', 'md5', 'scram-sha-256', 'scram-sha-256'] as const)
  const version = random.pick(['3.0', '3.2'] as const)
  const maxVersion = random.pick(['3.0', '3.2'] as const)
  const isStandby = random.chance(30)
  return {
    server: {
      method,
      tls,
      version,
      sendsKey: random.chance(85),
      isStandby,
      reportsStandby: random.chance(50),
      parameters: random.whole(0, 4),
      notices: random.chance(20) ? random.whole(1, 3) : 0,
    },
    client: {
      timeoutMs,
      sslmode,
      allowCleartextPassword: method === 'password' && !mustSecure,
      requireAuth: method === 'scram-sha-256' && random.chance(50) ? method : null,
      minVersion: version === '3.2' && maxVersion === '3.2' && random.chance(30) ? '3.2' : '3.0',
      maxVersion,
      wanted: random.chance(70) ? 'any' : isStandby ? 'standby' : 'primary',
      passwordMs: random.chance(80) ? null : part(random, shareMs, PARTS.password),
      derivationMs: part(random, shareMs, PARTS.derivation),
    },
  }
}

function drawHost(random: Random, index: number, server: ServerPlan, shareMs: number): HostPlan {
  const network = drawNetwork(random, shareMs)
  const blackHolesMax = Math.floor((shareMs * PARTS.blackHoles) / BLACK_HOLE_MS)
  const blackHoles = random.chance(30) ? random.whole(0, Math.min(3, blackHolesMax)) : 0
  const refusals = random.chance(30) ? random.whole(0, 2) : 0
  const lost = [
    ...Array<'black hole'>(blackHoles).fill('black hole'),
    ...Array<'ECONNREFUSED'>(refusals).fill('ECONNREFUSED'),
  ]
  return {
    name: `host-${index}.example`,
    lookup: 'answers',
    lookupMs: part(random, shareMs, PARTS.lookup),
    addresses: [
      ...lost.map((dial) => ({ dial, server, network: { ...network, patienceMs: 0 }, fault: null })),
      { dial: 'opens', server, network, fault: null },
    ],
  }
}

/** A host that is passed over, at once or when its share of the deadline is gone. */
function drawLostHost(random: Random, index: number, server: ServerPlan): HostPlan {
  const network = { patienceMs: 0, pieceBytesMax: 1_000, backPressure: false }
  const address: AddressPlan = { dial: 'ECONNREFUSED', server, network, fault: null }
  const host: HostPlan = { name: `host-${index}.example`, lookup: 'answers', lookupMs: 0, addresses: [address] }
  return random.pick([
    host,
    { ...host, addresses: [address, { ...address, dial: 'EHOSTUNREACH' as const }] },
    { ...host, addresses: [{ ...address, dial: 'black hole' as const }] },
    { ...host, addresses: [{ ...address, dial: 'opens' as const, fault: { kind: 'silence' as const, at: 0 } }] },
    { ...host, addresses: [{ ...address, dial: 'opens' as const, fault: { kind: 'rst' as const, at: 0 } }] },
    { ...host, lookup: 'ENOTFOUND' as const },
    { ...host, lookup: 'hangs' as const },
  ])
}

function drawNetwork(random: Random, shareMs: number): NetworkPlan {
  return {
    patienceMs: random.chance(20) ? 0 : part(random, shareMs, PARTS.network),
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
    change({ lookup: 'hangs' }, 'deadline', 'ResolvingHost'),
    change({ lookupMs: tooLongMs }, 'deadline', 'ResolvingHost'),
    change({ lookup: 'ENOTFOUND' }, 'lost', 'ResolvingHost'),
    change({ addresses: all('black hole') }, 'deadline', 'Dialing'),
    change({ addresses: all('ECONNREFUSED') }, 'lost', 'Dialing'),
    ...(method === 'scram-sha-256'
      ? [wait({ derivationMs: tooLongMs }, 'DerivingSaslKey'), wait({ passwordMs: tooLongMs }, 'AwaitingSaslPassword')]
      : []),
    ...(method === 'password' || method === 'md5' ? [wait({ passwordMs: tooLongMs }, 'AwaitingPassword')] : []),
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
      ? (['TLS breaks', 'TLS hangs', 'bad certificate', 'foreign ALPN'] as const)
      : []),
    'unsupported method' as const,
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
function expectationOf({ client }: Plan, fault: SimulatedFault): Expectation | null {
  const { sslmode } = client
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
      return failed(client.requireAuth === null ? 'AwaitingAuthentication' : undefined, 'incompatible')
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
    case 'foreign ALPN':
      return mustSecure ? failed('SecuringTransport', 'misbehaved') : null
    default:
      return null
  }
}

function part(random: Random, wholeMs: number, share: number): number {
  return random.whole(0, Math.floor(wholeMs * share))
}

/**
 * What the simulation has beyond one server at one address: that its seeds meet all of it, and that each checker of it finds
 * the defect that it is there for.
 */
import { expect, it } from 'vitest'
import type { Runtime } from '../../src/attempt.ts'
import { certificateShape } from '../../src/testing/certificate-shape.ts'
import { type Plan, planOf } from '../../src/testing/index.ts'
import { findWrongRace } from '../../src/testing/simulation/race-checker.ts'
import { changeTransport } from '../support/transport.ts'
import { atServer, planFor, TIMEOUT_MS } from './profiles.ts'
import { type Defect, expectFound, withClock, withTransport } from './spoil.ts'

/** What the plans of the seeds must have, each in so many of a thousand at least. */
const PARTS: Readonly<Record<string, { readonly least: number; readonly has: (plan: Plan) => boolean }>> = {
  'SCRAM bound to TLS': {
    least: 50,
    has: ({ client, hosts }) =>
      client.channelBinding !== 'disable' &&
      client.sslmode !== 'disable' &&
      hosts.some(({ addresses }) =>
        addresses.some(
          ({ server }) => server.bindsChannel && server.tls !== 'off' && server.method === 'scram-sha-256',
        ),
      ),
  },
  'binding required': { least: 20, has: ({ client }) => client.channelBinding === 'require' },
  'a stranger between': { least: 5, has: (plan) => hasFault(plan, /^another certificate/) },
  'a Unix-domain socket': { least: 15, has: ({ hosts }) => hosts.some(({ written }) => written === 'directory') },
  'an address in place of a name': {
    least: 15,
    has: ({ hosts }) => hosts.some(({ written }) => written === 'address'),
  },
  hostaddr: { least: 15, has: ({ hosts }) => hosts.some(({ written }) => written === 'hostaddr') },
  'both families': {
    least: 40,
    has: ({ hosts }) => hosts.some(({ addresses }) => new Set(addresses.map(({ family }) => family)).size > 1),
  },
  'black holes before others': {
    least: 4,
    has: ({ hosts }) =>
      hosts.some(({ addresses }) => addresses.length > 1 && addresses.some(({ dial }) => dial === 'black hole')),
  },
  'a standby that is preferred': { least: 40, has: ({ client }) => client.wanted === 'prefer-standby' },
  'a session that must write, or must not': {
    least: 20,
    has: ({ client }) => client.wanted === 'read-write' || client.wanted === 'read-only',
  },
  'hosts in any order': {
    least: 10,
    has: ({ client, hosts }) => client.loadBalanceHosts === 'random' && hosts.length > 1,
  },
  'servers that are remembered': { least: 80, has: ({ client }) => client.remembers !== null },
  'a pooler that takes no early SASL': {
    least: 20,
    has: ({ hosts }) => hosts.some(({ addresses }) => addresses.some(({ server }) => server.refusesEarlySasl)),
  },
  'keys in place of a password': { least: 15, has: ({ client }) => client.bringsKeys },
  'a first query': { least: 50, has: ({ client }) => client.firstQuery !== null },
  'a query that is cancelled': { least: 30, has: ({ afterwards }) => afterwards?.how === 'cancel' },
  'a session that is closed under a query': { least: 5, has: ({ afterwards }) => afterwards?.how === 'close' },
  'a server that never hangs up': { least: 3, has: (plan) => hasFault(plan, /^no goodbye$/) },
}

function hasFault({ hosts }: Plan, kind: RegExp): boolean {
  return hosts.some(({ addresses }) => addresses.some(({ fault }) => fault !== null && kind.test(fault.kind)))
}

it('simulation-06: the seeds meet every part of the world', () => {
  const plans = Array.from({ length: 3_000 }, (_, seed) => planOf(seed))
  for (const [part, { least, has }] of Object.entries(PARTS)) {
    expect({ part, inThousand: plans.filter(has).length / 3 }).toEqual({
      part,
      inThousand: expect.toSatisfy((count: number) => count >= least, `at least ${least}`),
    })
  }
})

const opens = { dial: 'opens', fault: null } as const
const cancelled = { queryTimeoutMs: 3_000, how: 'cancel', afterMs: 10, timeoutMs: 500, cancel: opens } as const
const inTls = { method: 'scram-sha-256', tls: 'on', bindsChannel: true } as const

const plain: Plan = { ...planFor(), expected: { outcome: 'ready' } }
const cancelling: Plan = { ...plain, afterwards: cancelled }
const securedCancelling: Plan = { ...planFor({ tls: 'on' }, { sslmode: 'require' }), afterwards: cancelled }
const bound = planFor(inTls, { sslmode: 'require', channelBinding: 'require' })
const asking = planFor({ method: 'scram-sha-256' }, { firstQuery: { allowUnverified: true } })
const askingLate = planFor({ method: 'scram-sha-256' }, { firstQuery: { allowUnverified: false } })

/** 'Q', length, the text and NUL. */
const FIRST_QUERY = Buffer.from(`Q\0\0\0\x13select 'first'\0`)

/** A connection whose writes are changed if they begin with this tag. */
function withMessage(tag: string, change: (bytes: Buffer) => Buffer): (runtime: Runtime) => Runtime {
  return withTransport((transport) => ({
    write: (bytes) => transport.write(bytes[0] === tag.charCodeAt(0) ? change(bytes) : bytes),
  }))
}

/** A client that looks at another certificate than it was shown. */
function withCertificate(content: string): (runtime: Runtime) => Runtime {
  const serverCertificate = certificateShape('ecdsa-with-SHA256', Buffer.from(content))
  return withTransport((transport) => ({
    startTls: async (...given) => ({ ...(await transport.startTls(...given)), serverCertificate }),
  }))
}

const DEFECTS: readonly Defect[] = [
  {
    defect: 'a cancel request in the clear for a session in TLS',
    plan: securedCancelling,
    spoil: withTransport((transport, index) => {
      if (index === 0) return {}
      return {
        // SSLRequest stays at home, and its answer is made up.
        write: (bytes) => void (bytes.length > 8 && transport.write(bytes)),
        take: () => Buffer.from('S'),
        startTls: async () => ({
          ...{ version: '', cipher: '', alpnProtocol: null },
          ...{ serverCertificate: null, rejection: null },
        }),
      }
    }),
    found: /a cancel request left in another security than that of the session/,
  },
  {
    defect: 'a cancel request to another address of the same name',
    plan: {
      ...cancelling,
      hosts: plain.hosts.map((host) => ({ ...host, addresses: [...host.addresses, ...host.addresses] })),
    },
    spoil: (runtime) => ({
      ...runtime,
      dial: (destination, deadline) => {
        const { endpoint } = destination
        const isCancel = endpoint.transport === 'tcp' && endpoint.host === '192.0.2.1'
        const elsewhere = { ...endpoint, host: '192.0.2.2', address: '192.0.2.2' }
        return runtime.dial(isCancel ? { ...destination, endpoint: elsewhere } : destination, deadline)
      },
    }),
    found: /a cancel request went to another address; .*a cancel request for nobody/,
  },
  {
    defect: 'a cancel request with another key',
    plan: cancelling,
    spoil: withTransport((transport, index) => ({
      write: (bytes) => {
        const spoilt = Buffer.from(bytes)
        if (index === 1) spoilt[spoilt.length - 1] = (spoilt.at(-1) as number) ^ 1
        transport.write(spoilt)
      },
    })),
    found: /an honest server was not reached by a cancel request: null; .*a cancel request for nobody/,
  },
  {
    defect: 'a cancel request that leaves its socket behind',
    plan: { ...cancelling, afterwards: { ...cancelled, cancel: { dial: 'opens', fault: { kind: 'no goodbye' } } } },
    spoil: withTransport((_transport, index) => (index === 1 ? { destroy: () => {} } : {})),
    found: /a socket is open when cancel\(\) settles/,
  },
  {
    defect: 'a cancel request that logs in',
    plan: { ...plain, afterwards: cancelled },
    spoil: withTransport((transport, index) => {
      if (index === 0) return {}
      const startup = Buffer.from('\0\0\0\x14\0\x03\0\0user\0alice\0\0', 'latin1')
      return { write: () => transport.write(startup) }
    }),
    found: /a cancel request that logs in/,
  },
  {
    defect: 'cancel() and a query that are late',
    plan: { ...cancelling, afterwards: { ...cancelled, cancel: { dial: 'black hole', fault: null } } },
    spoil: withClock((clock) => ({ setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs * 3) })),
    found: /cancel\(\) took too long; the query took too long/,
  },
  {
    defect: 'a close() that is late',
    plan: atServer(plain, { fault: { kind: 'no goodbye' } }),
    spoil: withClock((clock) => ({ setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs * 3) })),
    found: /close\(\) took too long/,
  },
  {
    defect: 'a close() that is late while a query runs',
    plan: { ...plain, expected: null, afterwards: { ...cancelled, how: 'close' } },
    spoil: withClock((clock) => ({ setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs * 3) })),
    found: /close\(\) took too long while a query ran/,
  },
  {
    defect: 'a close() that never ends',
    plan: atServer(plain, { fault: { kind: 'no goodbye' } }),
    spoil: withClock(() => ({ setTimer: () => () => {} })),
    found: /what is done with the session never ends/,
  },
  {
    defect: 'a first query that leaves twice',
    plan: askingLate,
    spoil: withMessage('Q', (bytes) => Buffer.concat([bytes, bytes])),
    found: /the first query ran 2 times; .*the first query left twice/,
  },
  {
    defect: 'a first query that leaves for anybody',
    plan: askingLate,
    spoil: withTransport((transport) => {
      let isBehindProof = false
      return {
        write: (bytes) => {
          // The message behind SASLInitialResponse is the proof.
          if (bytes[0] === 0x51) return
          const isProof = isBehindProof && bytes[0] === 0x70
          isBehindProof ||= bytes[0] === 0x70
          transport.write(isProof ? Buffer.concat([bytes, FIRST_QUERY]) : bytes)
        },
      }
    }),
    found: /the first query left for a server that had proved nothing/,
  },
  {
    defect: 'a first query in the flight of the StartupMessage',
    plan: asking,
    spoil: withMessage('\0', (bytes) => Buffer.concat([bytes, FIRST_QUERY])),
    found: /the first query left too early/,
  },
  {
    defect: 'an unbound mechanism where binding is required',
    plan: bound,
    spoil: withMessage('p', (bytes) => {
      if (!bytes.includes('SCRAM-SHA-256-PLUS')) return bytes
      const first = Buffer.from('n,,n=,r=abcdefghijklmnopqrstuvwx')
      const body = Buffer.concat([Buffer.from('SCRAM-SHA-256\0\0\0\0'), Buffer.from([first.length]), first])
      return Buffer.concat([Buffer.from([0x70, 0, 0, 0, body.length + 4]), body])
    }),
    found: /SCRAM began unbound, and was to be bound/,
  },
  {
    defect: 'a bound mechanism where binding is switched off',
    plan: planFor(inTls, { sslmode: 'require', channelBinding: 'disable' }),
    spoil: withMessage('p', (bytes) => {
      if (!bytes.includes('SCRAM-SHA-256')) return bytes
      const first = Buffer.from('p=tls-server-end-point,,n=,r=abcdefghijklmnopqrstuvwx')
      const body = Buffer.concat([Buffer.from('SCRAM-SHA-256-PLUS\0\0\0\0'), Buffer.from([first.length]), first])
      return Buffer.concat([Buffer.from([0x70, 0, 0, 0, body.length + 4]), body])
    }),
    found: /SCRAM began bound, and was not to be/,
  },
  {
    defect: 'a binding to another certificate',
    plan: bound,
    spoil: withCertificate('somebody else'),
    found: /the client is bound to another channel/,
  },
  {
    defect: 'a stranger who is not looked at',
    plan: atServer(bound, { fault: { kind: 'another certificate' } }),
    spoil: withCertificate('the server'),
    found: /ready through a stranger/,
  },
  {
    defect: 'a server of the wrong kind',
    plan: planFor({}, { wanted: 'standby' }),
    // The answer to pg_is_in_recovery() says the opposite.
    spoil: withTransport((transport) => ({
      take: () => {
        const taken = transport.take()
        if (typeof taken === 'string') return taken
        const at = taken.indexOf(Buffer.from('\0\0\0\x01f'))
        if (at >= 0) taken[at + 4] = 0x74
        return taken
      },
    })),
    found: /ready on a server that is not standby/,
  },
  {
    defect: 'two connections in one attempt',
    plan: plain,
    spoil: (runtime) => ({
      ...runtime,
      dial: async (...given) => {
        const [one, other] = [await runtime.dial(...given), await runtime.dial(...given)]
        return changeTransport(one, {
          write: (bytes) => {
            one.write(bytes)
            other.write(bytes)
          },
          destroy: () => {
            one.destroy()
            other.destroy()
          },
        })
      },
    }),
    found: /two connections of one attempt were written to/,
  },
  {
    defect: 'a lookup of which there is no account',
    plan: { ...plain, expected: null, hosts: plain.hosts.map((host) => ({ ...host, lookup: 'hangs' as const })) },
    spoil: (runtime) => ({
      ...runtime,
      // It waits on, though nobody else does.
      resolveHost: (host, signal) => {
        const gone = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        return Promise.race([runtime.resolveHost(host, new AbortController().signal), gone])
      },
    }),
    found: /a lookup that goes on is not counted/,
  },
  {
    defect: 'a derivation of which there is no account',
    plan: planFor({ method: 'scram-sha-256' }, { derivationMs: 2 * TIMEOUT_MS }),
    spoil: (runtime) => ({
      ...runtime,
      deriveKeys: (input, signal) => {
        const gone = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        return Promise.race([runtime.deriveKeys(input, new AbortController().signal), gone])
      },
    }),
    found: /a derivation that goes on is not counted/,
  },
]

it('simulation-07: every checker of a session finds the defect that it is there for', async () => {
  for (const defect of DEFECTS) await expectFound(defect)
})

const ADDRESSES = [
  { address: 'a', family: 6 },
  { address: 'b', family: 6 },
  { address: 'c', family: 4 },
]
const at = (address: string, atMs: number, endedMs: number | null = null) => ({ address, atMs, endedMs })

const RACES = [
  { race: 'turns of the families, 250 ms apart', dialed: [at('a', 0), at('c', 250), at('b', 500)], found: [] },
  { race: 'the next one as soon as one fails', dialed: [at('a', 0, 7), at('c', 7), at('b', 257)], found: [] },
  { race: 'one family first', dialed: [at('a', 0), at('b', 250)], found: ['addresses were dialed out of order'] },
  { race: 'all at once', dialed: [at('a', 0), at('c', 0)], found: ['an address was dialed too early'] },
  {
    race: 'one after the other',
    dialed: [at('a', 0, 600), at('c', 600)],
    found: ['an address was dialed too late'],
  },
  {
    race: 'a failure that was known before',
    dialed: [at('a', 0, 100), at('c', 101)],
    found: ['an address was dialed too early'],
  },
]

it('simulation-08: the checker of the race for an address knows a lawful one from others', () => {
  for (const { race, dialed, found } of RACES) {
    expect({ race, found: findWrongRace({ addresses: ADDRESSES, dialed }, true) }).toEqual({ race, found })
  }
  // Nobody is late whose event loop was blocked.
  expect(findWrongRace({ addresses: ADDRESSES, dialed: [at('a', 0), at('c', 900)] }, false)).toEqual([])

  const many = Array.from({ length: 9 }, (_, index) => ({ address: `${index}`, family: 4 }))
  const dialed = many.map(({ address }, index) => at(address, 250 * index))
  expect(findWrongRace({ addresses: many, dialed }, true)).toEqual(['too many sockets were being opened at once'])
  const released = dialed.map((one, index) => (index === 0 ? { ...one, endedMs: 2_000 } : one))
  expect(findWrongRace({ addresses: many, dialed: released }, true)).toEqual([])
})

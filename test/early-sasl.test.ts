/** SCRAM that begins in the flight of the StartupMessage: when it does, what the flights are, and what follows a wrong guess. */
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import { HandshakeError } from '../src/state/errors.ts'
import type { TlsFacts } from '../src/state/handshake/states.ts'
import { lawful, type Method, ScriptedServer } from './support/scripted-server.ts'
import { type World, worldOf } from './support/world.ts'

const PLAIN = 'postgres://alice:secret@db.example/app?sslmode=disable'

/** A world whose connects each go to the next of these servers, and what they wrote, write by write. */
function worldOfServers(...servers: ScriptedServer[]): World & { readonly flights: string[][] } {
  const flights: string[][] = []
  let next = 0
  const dial: Runtime['dial'] = async (destination, deadline) => {
    const server = servers[Math.min(next, servers.length - 1)]
    next += 1
    if (server === undefined) throw new Error('there is no server')
    const transport = await server.dial(destination, deadline)
    return {
      ...transport,
      write: (bytes) => {
        const before = server.names.length
        transport.write(bytes)
        flights.push(server.names.slice(before))
      },
    }
  }
  return { ...worldOf(new ScriptedServer(() => {}), { dial }), flights }
}

async function failureOf(connecting: Promise<unknown>): Promise<HandshakeError> {
  const error = await connecting.then(
    () => new Error('the connect succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof HandshakeError)) throw error
  return error
}

const EARLY = [['StartupMessage', 'SASLInitialResponse'], ['SASLResponse']]
const LATE = [['StartupMessage'], ['SASLInitialResponse'], ['SASLResponse']]

describe('SCRAM', () => {
  it.each([
    ['', LATE],
    ['&require_auth=scram-sha-256,md5', LATE],
    ['&require_auth=scram-sha-256&early_sasl=false', LATE],
    ['&require_auth=scram-sha-256', EARLY],
    ['&require_auth=scram-sha-256&channel_binding=disable', EARLY],
  ])('with %j takes the flights %j', async (parameters, flights) => {
    const world = worldOfServers(lawful())
    const session = await world.connect({}, PLAIN + parameters)
    expect(session.authenticationMethod).toBe('scram-sha-256')
    expect(world.flights).toEqual(flights)
    await session.close()
  })

  it('waits for the offer in TLS, where what the server offers decides how it begins', async () => {
    const tls: TlsFacts = {
      ...{ version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', alpnProtocol: null },
      ...{ serverCertificate: null, rejection: null },
    }
    const inTls = () => lawful({ tlsReply: 'S' }).onTls(async () => tls)
    const flightsWith = async (parameters: string) => {
      const world = worldOfServers(inTls())
      const target = `postgres://alice:secret@db.example/app?sslmode=require&require_auth=scram-sha-256${parameters}`
      const connecting = world.connect({}, target).catch(() => null)
      await (await connecting)?.close()
      return world.flights.slice(1, 3)
    }
    expect(await flightsWith('&channel_binding=disable')).toEqual(EARLY)
    expect(await flightsWith('')).toEqual(LATE.slice(0, 2))
  })

  it('shows in the timeline what left together', async () => {
    const session = await worldOfServers(lawful()).connect({}, `${PLAIN}&require_auth=scram-sha-256`)
    const states = session.timeline.map(({ state }) => state)
    expect(states).toContain('AwaitingSaslOffer')
    expect(states).not.toContain('AwaitingAuthentication')
    const { messages } = session.timeline.find(({ state }) => state === 'AwaitingSaslOffer') ?? { messages: [] }
    expect(messages.map(({ name }) => name)).toEqual(['StartupMessage', 'SASLInitialResponse', 'AuthenticationSASL'])
    await session.close()
  })
})

const VIOLATION = {
  type: 'ErrorResponse' as const,
  fields: [
    { code: 'S' as const, value: 'FATAL' },
    { code: 'C' as const, value: '08P01' },
    { code: 'M' as const, value: 'unexpected message' },
  ],
}

/** Says that it has not asked. */
const intolerant = () =>
  new ScriptedServer((server, { type }) => {
    if (type === 'StartupMessage') server.send(VIOLATION)
  })

describe('a server that is remembered', () => {
  const TARGET = `${PLAIN}&remember_servers=true&allow_cleartext_password=true`

  it('is met with SCRAM at once the second time, and only by those who ask for it', async () => {
    const world = worldOfServers(lawful(), lawful(), lawful())
    for (const target of [TARGET, TARGET, PLAIN]) await (await world.connect({}, target)).close()
    expect(world.flights.filter(([first]) => first !== 'Terminate')).toEqual([...LATE, ...EARLY, ...LATE])
  })

  it('is remembered by host, user and database', async () => {
    for (const other of ['alice@other.example/app', 'bob@db.example/app', 'alice@db.example/other']) {
      const [user, place] = other.split('@')
      const world = worldOfServers(lawful(), lawful())
      const target = `postgres://${user}:secret@${place}?sslmode=disable&remember_servers=true`
      for (const one of [TARGET, target]) await (await world.connect({}, one)).close()
      expect(world.flights.filter(([first]) => first !== 'Terminate')).toEqual([...LATE, ...LATE])
    }
  })

  it.each<[Method, string[][]]>([
    ['trust', [['StartupMessage']]],
    ['password', [['StartupMessage'], ['PasswordMessage']]],
    ['md5', [['StartupMessage'], ['PasswordMessage']]],
  ])(
    'and has changed to %s is asked again without a guess, in the same slice, and is known anew',
    async (method, late) => {
      const world = worldOfServers(lawful(), lawful({ method }), lawful({ method }), lawful({ method }))
      await (await world.connect({}, TARGET)).close()
      world.flights.splice(0)
      const session = await world.connect({ timeoutMs: 1_000 }, TARGET)
      expect(session.authenticationMethod).toBe(method === 'trust' ? 'none' : method)
      expect(world.flights).toEqual([EARLY[0], ...late])
      expect(session.attempts).toMatchObject([
        { phase: 'AwaitingSaslOffer', sliceMs: 1_000, failure: { kind: 'incompatible', supported: ['SCRAM-SHA-256'] } },
      ])
      await session.close()
      world.flights.splice(0)
      await (await world.connect({}, TARGET)).close()
      expect(world.flights.slice(0, -1)).toEqual(late)
    },
  )

  it('and does not cope is asked again without a guess, and from then on never with one', async () => {
    const world = worldOfServers(lawful(), intolerant(), lawful(), lawful())
    await (await world.connect({}, TARGET)).close()
    world.flights.splice(0)
    const session = await world.connect({}, TARGET)
    expect(world.flights).toEqual([EARLY[0], ...LATE])
    expect(session.attempts).toMatchObject([{ phase: 'AwaitingSaslOffer', failure: { sqlstate: '08P01' } }])
    await session.close()
    world.flights.splice(0)
    await (await world.connect({}, `${TARGET}&require_auth=scram-sha-256`)).close()
    expect(world.flights.slice(0, -1)).toEqual(LATE)
  })

  it('and refuses twice has both attempts in the error', async () => {
    const world = worldOfServers(lawful(), intolerant(), lawful({ password: 'another' }))
    await (await world.connect({}, TARGET)).close()
    const error = await failureOf(world.connect({}, TARGET))
    expect(error.failure).toMatchObject({ kind: 'refused', sqlstate: '28P01' })
    expect(error.attempts).toMatchObject([
      { phase: 'AwaitingSaslOffer', failure: { sqlstate: '08P01' } },
      { phase: 'AwaitingSaslOutcome', failure: { sqlstate: '28P01' } },
    ])
  })

  it('and refuses for another reason is not asked again', async () => {
    const world = worldOfServers(lawful(), lawful({ password: 'another' }), lawful())
    await (await world.connect({}, TARGET)).close()
    const error = await failureOf(world.connect({}, TARGET))
    expect(error.attempts).toMatchObject([{ phase: 'AwaitingSaslOutcome', failure: { sqlstate: '28P01' } }])
  })

  it('and falls silent has one deadline for both attempts', async () => {
    const silent = new ScriptedServer(() => {})
    const world = worldOfServers(lawful(), intolerant(), silent)
    await (await world.connect({}, TARGET)).close()
    const failing = failureOf(world.connect({ timeoutMs: 1_000 }, TARGET))
    for (let step = 0; step < 10; step += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      world.clock.advance(100)
    }
    const error = await failing
    expect(error.failure).toEqual({ kind: 'deadline', timeoutMs: 1_000 })
    expect(error.attempts.map(({ phase }) => phase)).toEqual(['AwaitingSaslOffer', 'AwaitingAuthentication'])
    expect(silent.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
  })
})

describe('a server that is not to be remembered', () => {
  it('and does not cope is refused at the first attempt, with advice', async () => {
    const world = worldOfServers(intolerant(), lawful())
    const error = await failureOf(world.connect({}, `${PLAIN}&require_auth=scram-sha-256`))
    expect(error.attempts).toHaveLength(1)
    expect(error.message).toContain('early_sasl=false')
    expect(world.flights).toEqual([EARLY[0]])
  })

  it('is given no such advice where SCRAM has not begun unasked', async () => {
    const error = await failureOf(worldOfServers(intolerant()).connect({}, PLAIN))
    expect(error).toMatchObject({ phase: 'AwaitingAuthentication', failure: { sqlstate: '08P01' } })
    expect(error.message).not.toContain('early_sasl')
  })
})

/** What somebody sees who looks on at a connect from within: in order, whole, and without changing anything. */
import { describe, expect, it, vi } from 'vitest'
import type { Observation } from '../src/observation.ts'
import { encodeStartup } from '../src/protocol/startup.ts'
import { failureOf } from './hostile/failure.ts'
import { TLS } from './state/handshake/examples.ts'
import { refusing, worldOfHosts } from './support/hosts.ts'
import { lawful, ScriptedServer } from './support/scripted-server.ts'
import { uncaughtOf } from './support/uncaught.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

const TARGET = 'postgres://alice:secret@db.example/app'

function watched(server: ScriptedServer) {
  const seen: Observation[] = []
  return { seen, ...worldOf(server, { observe: (observation) => seen.push(observation) }) }
}

/** One line for each. */
function linesOf(seen: readonly Observation[]): string[] {
  return seen.map((one) => {
    switch (one.type) {
      case 'attemptBegun':
        return `attempt ${one.attempt}: ${one.goal}, TLS ${one.encryption}, ${one.sliceMs} ms`
      case 'stateEntered':
        return `> ${one.state}`
      case 'stateLeft':
        return `< ${one.state}`
      case 'message':
        return `${one.state} ${one.direction} ${one.name} in flight ${one.flight}`
      case 'attemptEnded':
        return `ended in ${one.phase}: ${one.failure?.kind ?? 'done'}`
      case 'settled':
        return `settled: ${one.error === null ? 'done' : (one.error as Error).name}`
      default:
        return one.type
    }
  })
}

const messagesOf = (seen: readonly Observation[]) => seen.flatMap((one) => (one.type === 'message' ? [one] : []))

describe('an observer', () => {
  it('sees every state, message and flight, in order', async () => {
    const { seen, connect } = watched(lawful({ method: 'md5' }))
    const session = await connect({ timeoutMs: 3_000 })
    expect(linesOf(seen)).toEqual([
      'attempt 0: session, TLS off, 3000 ms',
      '> Disconnected',
      '< Disconnected',
      '> ResolvingHost',
      'hostResolved',
      '< ResolvingHost',
      '> Dialing',
      'transportOpened',
      '< Dialing',
      '> Connected',
      '< Connected',
      '> AwaitingAuthentication',
      'AwaitingAuthentication sent StartupMessage in flight 0',
      'AwaitingAuthentication received AuthenticationMD5Password in flight 1',
      '< AwaitingAuthentication',
      '> AwaitingPassword',
      '< AwaitingPassword',
      '> AwaitingVerdict',
      'AwaitingVerdict sent PasswordMessage in flight 2',
      'AwaitingVerdict received AuthenticationOk in flight 3',
      '< AwaitingVerdict',
      '> AwaitingReady',
      'AwaitingReady received ParameterStatus in flight 3',
      'AwaitingReady received ParameterStatus in flight 3',
      'AwaitingReady received BackendKeyData in flight 3',
      'AwaitingReady received ReadyForQuery in flight 3',
      '< AwaitingReady',
      '> CheckingSession',
      '< CheckingSession',
      '> Ready',
      'ended in Ready: done',
      'settled: done',
    ])
    await session.close()
    expect(linesOf(seen).at(-1)).toBe('settled: done')
  })

  it('sees the bytes of each message as they stand on the wire, its header included', async () => {
    const { seen, connect } = watched(
      lawful({ method: 'password', segment: (flight) => [...flight].map((byte) => Buffer.from([byte])) }),
    )
    await connect()
    const [startup, request, password, ok] = messagesOf(seen)
    expect(startup?.bytes).toEqual(encodeStartup(startup?.message as Parameters<typeof encodeStartup>[0]))
    expect(request?.bytes.toString('hex')).toBe('520000000800000003')
    // 'p', a length of 4 + 7, 'secret' and its NUL: what is shown from within is not redacted.
    expect(password?.bytes.toString('hex')).toBe(`700000000b${Buffer.from('secret\0').toString('hex')}`)
    expect(password?.message).toEqual({ type: 'PasswordMessage', password: 'secret' })
    expect(ok?.bytes.toString('hex')).toBe('520000000800000000')
  })

  it('sees when it was, and what was left', async () => {
    const { seen, connect, clock } = watched(lawful({ silentAt: 'ReadyForQuery' }))
    const failed = failureOf(connect({ timeoutMs: 3_000 }))
    await settle()
    clock.advance(3_000)
    const { timeline } = await failed
    const left = seen.flatMap((one) => (one.type === 'stateLeft' ? [one] : []))
    expect(left.map(({ entry }) => entry)).toEqual(timeline)
    expect(left.at(-1)).toMatchObject({ state: 'AwaitingReady', attempt: 0, atMs: 3_000, remainingMs: 0 })
    expect(left.at(-2)).toMatchObject({
      state: 'AwaitingVerdict',
      atMs: 0,
      remainingMs: 3_000,
      sliceRemainingMs: 3_000,
    })
    expect(linesOf(seen).slice(-2)).toEqual(['ended in AwaitingReady: deadline', 'settled: TimeoutError'])
  })

  it('sees the answer to SSLRequest, and TLS', async () => {
    const server = lawful({ tlsReply: 'S' }).onTls(async () => TLS)
    const { seen, connect } = watched(server)
    await connect({}, `${TARGET}?sslmode=require`)
    const [request, reply] = messagesOf(seen)
    expect(request).toMatchObject({ direction: 'sent', name: 'SSLRequest', flight: 0 })
    expect(reply).toMatchObject({
      direction: 'received',
      name: "'S'",
      flight: 1,
      message: null,
      bytes: Buffer.from('S'),
    })
    expect(seen).toContainEqual(expect.objectContaining({ type: 'tlsEstablished', tls: TLS }))
  })

  it.each([
    ['a message that cannot be read', '520000000800000063', "'R'"],
    ['an answer to SSLRequest that is none', '48545450', "'H'"],
  ])('sees %s', async (_what, hex, name) => {
    const server = new ScriptedServer((self) => self.sendBytes(Buffer.from(hex, 'hex')))
    const { seen, connect } = watched(server)
    await failureOf(name === "'R'" ? connect() : connect({}, `${TARGET}?sslmode=require`))
    expect(messagesOf(seen).at(-1)).toMatchObject({ name, message: null, bytes: Buffer.from(hex, 'hex') })
  })

  it('sees several hosts as attempts, each with its share', async () => {
    const seen: Observation[] = []
    const world = worldOfHosts(
      { one: [refusing('57P03')], two: 'a black hole', three: [lawful()] },
      { observe: (observation) => seen.push(observation) },
    )
    const connecting = world.connect({ timeoutMs: 3_000 }, 'postgres://alice:secret@one,two,three/app?sslmode=disable')
    await settle()
    world.clock.advance(1_500)
    await connecting
    expect(linesOf(seen).filter((line) => /^(attempt|ended|settled)/.test(line))).toEqual([
      'attempt 0: session, TLS off, 1000 ms',
      'ended in AwaitingAuthentication: refused',
      'attempt 1: session, TLS off, 1500 ms',
      'ended in Dialing: deadline',
      'attempt 2: session, TLS off, 1500 ms',
      'ended in Ready: done',
      'settled: done',
    ])
  })

  it('sees the end of what was never begun', async () => {
    const { seen, connect } = watched(lawful())
    await failureOf(connect({}, 'postgres://alice@db.example/app?sslmode=nonsense'))
    expect(linesOf(seen)).toEqual(['settled: HandshakeError'])
  })

  it('sees a cancel request', async () => {
    const server = new ScriptedServer((self, message) => {
      if (message.type === 'CancelRequest') self.end()
      else lawful({ method: 'trust' }).answer(self, message)
    })
    const { seen, connect } = watched(server)
    const session = await connect()
    seen.length = 0
    server.received.length = 0
    await session.cancel()
    expect(linesOf(seen)).toEqual([
      'attempt 0: cancel, TLS off, 5000 ms',
      '> Disconnected',
      '< Disconnected',
      '> Dialing',
      'transportOpened',
      '< Dialing',
      '> Connected',
      '< Connected',
      '> AwaitingCancelClose',
      'AwaitingCancelClose sent CancelRequest in flight 0',
      '< AwaitingCancelClose',
      '> Cancelled',
      'ended in Cancelled: done',
      'settled: done',
    ])
  })

  it('sees a cancel request that fails', async () => {
    const { seen, connect, clock } = watched(lawful({ method: 'trust' }))
    const session = await connect()
    seen.length = 0
    const aborted = AbortSignal.abort()
    await expect(session.cancel({ signal: aborted })).rejects.toThrow('aborted')
    await expect(session.cancel({ timeoutMs: Number.NaN })).rejects.toThrow('timeoutMs')
    expect(linesOf(seen).filter((line) => /^(ended|settled)/.test(line))).toEqual([
      'ended in Disconnected: aborted',
      'settled: AbortError',
      'settled: HandshakeError',
    ])
    expect(clock.activeTimers).toBe(0)
  })

  it('changes nothing by what it throws, which becomes an uncaughtException', async () => {
    const plain = await worldOf(lawful()).connect()
    const observe = vi.fn(() => {
      throw new Error('a defect of the observer')
    })
    let timeline: unknown
    const uncaught = await uncaughtOf(async () => {
      const session = await worldOf(lawful(), { observe }).connect()
      timeline = session.timeline
    })
    expect(timeline).toEqual(plain.timeline)
    expect(uncaught).toHaveLength(observe.mock.calls.length)
    expect(uncaught[0]).toEqual(new Error('a defect of the observer'))
  })
})

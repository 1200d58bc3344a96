/** The promise that connect() returns, and what becomes of it if somebody changes his mind. */
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Runtime } from '../src/attempt.ts'
import type { ConnectTarget } from '../src/config/target.ts'
import { Deadline } from '../src/net/deadline.ts'
import { TransportError } from '../src/net/transport.ts'
import { Session } from '../src/session.ts'
import { failureOf } from './hostile/failure.ts'
import { refusing, worldOfHosts } from './support/hosts.ts'
import { lawful, ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

const TARGET = 'postgres://alice:secret@one,two/app?sslmode=disable'
const ONE: ConnectTarget = { host: 'one', user: 'alice', sslmode: 'disable' }

/** Rejections of which nobody has taken notice, whoever forgets to await. */
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown) => unhandled.push(reason)

beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', onUnhandled)
})

afterEach(async () => {
  await settle()
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

describe('close()', () => {
  it('while the server is waited for ends the connect at once, in that phase, and leaves nothing', async () => {
    const server = lawful({ silentAt: 'AuthenticationSASLContinue' })
    const world = worldOf(server)
    const caller = new AbortController()
    const connecting = world.connect({ timeoutMs: 3_000, signal: caller.signal })
    await settle()
    const closing = connecting.close()
    // In the same tick: nobody has to wait for the socket to be gone.
    expect(world.clock.activeTimers).toBe(0)
    const error = await failureOf(connecting)
    expect(error).toMatchObject({ name: 'AbortError', phase: 'AwaitingSaslChallenge', failure: { kind: 'aborted' } })
    expect(error.cause).toMatchObject({
      name: 'AbortError',
      message: 'close() was called while the connect was under way',
    })
    await expect(closing).resolves.toBeUndefined()
    expect(server.destroyed).toBe(true)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(caller.signal.aborted).toBe(false)
  })

  it('settles when nothing is left, and not before', async () => {
    const server = lawful({ silentAt: 'AuthenticationSASL' })
    const connecting = worldOf(server).connect()
    await settle()
    await connecting.close()
    expect(server.destroyed).toBe(true)
    await failureOf(connecting)
  })

  it('before anybody is dialed sees to it that nobody is', async () => {
    const server = lawful()
    const world = worldOf(server)
    const connecting = world.connect()
    const closing = connecting.close()
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'AbortError', phase: 'Disconnected' })
    await closing
    expect(server.dialed).toBe(0)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('in the midst of a host lets no other one be tried', async () => {
    const world = worldOfHosts({ one: 'a black hole', two: [lawful()] })
    const connecting = world.connect({}, TARGET)
    await settle()
    await connecting.close()
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'AbortError', phase: 'Dialing' })
    expect(world.visited).toHaveLength(1)
    expect(world.dialing()).toBe(0)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('without a limit works like that, too', async () => {
    const world = worldOfHosts({ one: 'a black hole' })
    const connecting = world.connect({ timeoutMs: Number.POSITIVE_INFINITY }, TARGET)
    await settle()
    await connecting.close()
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'AbortError', phase: 'Dialing' })
    expect(world.dialing()).toBe(0)
  })

  it('after success closes the session, in order', async () => {
    const server = lawful()
    const world = worldOf(server)
    const connecting = world.connect()
    const session = await connecting
    await connecting.close()
    expect(session.phase).toBe('Closed')
    expect(server.names.at(-1)).toBe('Terminate')
    expect(server.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
    await expect(connecting).resolves.toBe(session)
  })

  it('in the tick in which the session is there closes it: nobody else can', async () => {
    const server = lawful({ silentAt: 'ReadyForQuery' })
    const connecting = worldOf(server).connect()
    await settle()
    server.send({ type: 'ReadyForQuery', status: 'I' })
    const closing = connecting.close()
    const session = await connecting.catch(() => null)
    await closing
    expect(session?.phase ?? 'Closed').toBe('Closed')
    expect(server.destroyed).toBe(true)
  })

  it.each(Array.from({ length: 12 }, (_, turns) => turns))(
    'or an abort, %i turns after the server was ready, ends the connect or does not concern the session',
    async (turns) => {
      for (const how of ['close', 'abort'] as const) {
        const server = lawful({ silentAt: 'ReadyForQuery' })
        const caller = new AbortController()
        const connecting = worldOf(server).connect({ signal: caller.signal })
        await settle()
        server.send({ type: 'ReadyForQuery', status: 'I' })
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        const closing = how === 'close' ? connecting.close() : caller.abort()
        const outcome = await connecting.catch((error: unknown) => error)
        await closing
        if (outcome instanceof Session) {
          if (how === 'abort') {
            const asked = outcome.query('select 1')
            server.send({ type: 'CommandComplete', commandTag: 'x' }, { type: 'ReadyForQuery', status: 'I' })
            await expect(asked).resolves.toHaveLength(1)
          }
          await expect(outcome.close()).resolves.toBeUndefined()
          expect(outcome.phase).toBe('Closed')
        } else expect(outcome).toMatchObject({ name: 'AbortError' })
        expect(server.destroyed).toBe(true)
      }
    },
  )

  it('after a failure resolves, and changes nothing', async () => {
    const connecting = worldOfHosts({ one: 'closed', two: 'closed' }).connect({}, TARGET)
    const error = await failureOf(connecting)
    await expect(connecting.close()).resolves.toBeUndefined()
    await expect(failureOf(connecting)).resolves.toBe(error)
  })

  it.each([
    ['a target that cannot be read', {}, 'mysql://x'],
    ['options that cannot be used', { timeoutMs: Number.NaN }, TARGET],
  ])('of a connect that never began resolves: %s', async (_what, options, target) => {
    const connecting = worldOf(lawful()).connect(options, target)
    await expect(connecting.close()).resolves.toBeUndefined()
    await expect(failureOf(connecting)).resolves.toMatchObject({ failure: { kind: 'config' } })
  })

  it('of a connect that meets a defect of ours resolves; the connect tells of it', async () => {
    const defect = new TypeError('a defect')
    const connecting = worldOf(lawful(), { deriveKeys: () => Promise.reject(defect) }).connect()
    const told = expect(connecting).rejects.toBe(defect)
    await settle()
    await expect(connecting.close()).resolves.toBeUndefined()
    await told
  })

  it('twice, at once or later, is the same as once', async () => {
    const server = lawful({ silentAt: 'AuthenticationSASL' })
    const connecting = worldOf(server).connect()
    await settle()
    const closing = [connecting.close(), connecting.close(), connecting[Symbol.asyncDispose]()]
    await expect(Promise.all(closing)).resolves.toEqual([undefined, undefined, undefined])
    await connecting.close()
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'AbortError' })

    const open = lawful()
    const connected = worldOf(open).connect()
    await connected
    await Promise.all([connected.close(), connected.close()])
    await connected.close()
    expect(open.names.filter((name) => name === 'Terminate')).toHaveLength(1)
  })

  it('after the deadline changes nothing: what came first counts', async () => {
    const world = worldOf(lawful({ silentAt: 'AuthenticationSASL' }))
    const connecting = world.connect({ timeoutMs: 1_000 })
    await settle()
    world.clock.advance(1_000)
    const closing = connecting.close()
    await expect(failureOf(connecting)).resolves.toMatchObject({ name: 'TimeoutError' })
    await closing
  })

  it('tells the password’s function to stop', async () => {
    let given: AbortSignal | undefined
    const password = (signal: AbortSignal) => {
      given = signal
      return new Promise<string>(() => {})
    }
    const connecting = worldOf(lawful()).connect({}, { host: 'one', user: 'alice', sslmode: 'disable', password })
    await settle()
    await connecting.close()
    await expect(failureOf(connecting)).resolves.toMatchObject({ phase: 'AwaitingSaslPassword' })
    expect(given?.reason).toMatchObject({ name: 'AbortError' })
  })
})

describe('whoever forgets to await', () => {
  it('a connect that is closed has no unhandled rejection', async () => {
    const server = lawful({ silentAt: 'AuthenticationSASL' })
    void worldOf(server).connect().close()
    await settle()
    const late = worldOf(server).connect()
    await settle()
    void late.close()
    await settle()
    expect(server.destroyed).toBe(true)
  })

  it('close() of a connect that fails meanwhile has none either', async () => {
    const connecting = worldOfHosts(
      {},
      { dial: () => Promise.reject(new TransportError('ECONNREFUSED', 'no')) },
    ).connect()
    void connecting.close()
    await settle()
  })
})

describe('await using', () => {
  it('of a connect that is under way ends it with its block', async () => {
    const server = lawful({ silentAt: 'AuthenticationSASL' })
    const world = worldOf(server)
    {
      await using connecting = world.connect()
      expect(connecting).toBeInstanceOf(Promise)
      await settle()
      expect(server.destroyed).toBe(false)
    }
    expect(server.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('of a connect that has succeeded closes the session with its block', async () => {
    const server = lawful()
    {
      await using connecting = worldOf(server).connect()
      const session = await connecting
      await expect(session.query('one')).resolves.toMatchObject([{ commandTag: 'one' }])
    }
    expect(server.names.at(-1)).toBe('Terminate')
    expect(server.destroyed).toBe(true)
  })
})

describe('the function that fetches the password', () => {
  it.each([
    ['a refusal', { type: 'ErrorResponse', fields: [{ code: 'C', value: '53300' }] }],
    ['what it must not say', { type: 'ReadyForQuery', status: 'I' }],
  ] as const)(
    'may fail unheard when the server has said, in one breath, that it wants it and %s',
    async (_what, then) => {
      const server = new ScriptedServer((self) =>
        self.send({ type: 'AuthenticationMD5Password', salt: Buffer.alloc(4) }, then),
      )
      const password = (signal: AbortSignal) =>
        new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      const error = await failureOf(worldOf(server).connect({}, { ...ONE, password }))
      expect(error).toMatchObject({ name: 'HandshakeError', phase: 'AwaitingPassword' })
      expect(server.destroyed).toBe(true)
    },
  )
})

describe('a peer that does not take what is sent', () => {
  it('costs the deadline and no more', async () => {
    const server = lawful()
    const dial: Runtime['dial'] = async (destination, deadline) => ({
      ...(await server.dial(destination, deadline)),
      isFull: () => true,
    })
    const world = worldOf(server, { dial })
    const failed = failureOf(world.connect({ timeoutMs: 1_000 }, ONE))
    await settle()
    world.clock.advance(1_000)
    expect(await failed).toMatchObject({ name: 'TimeoutError', phase: 'AwaitingAuthentication' })
    expect(server.destroyed).toBe(true)
  })
})

describe('attempts under one deadline', () => {
  it('each leave it before the next begins', async () => {
    const alive = new Set<object>()
    const counts: number[] = []
    const { onEnd } = Deadline.prototype
    const listening = vi.spyOn(Deadline.prototype, 'onEnd').mockImplementation(function (this: Deadline, callback) {
      const one = {}
      alive.add(one)
      const stop = onEnd.call(this, callback)
      return () => {
        alive.delete(one)
        stop()
      }
    })
    try {
      const dial: Runtime['dial'] = (destination, deadline) => {
        counts.push(alive.size)
        return refusing('28000').dial(destination, deadline)
      }
      await failureOf(worldOf(lawful(), { dial }).connect({}, { ...ONE, sslmode: 'allow' }))
    } finally {
      listening.mockRestore()
    }
    expect(counts).toEqual([1, 1])
    expect(alive.size).toBe(0)
  })
})

/** What others see of a connect through node:diagnostics_channel: in Node's order, without secrets, and without changing it. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type ChannelListener, channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type CancelContext,
  type ConnectContext,
  type ConnectTarget,
  HandshakeError,
  type MessageContext,
  type QueryContext,
  SessionError,
  type StateContext,
} from '../src/index.ts'
import type { Observation } from '../src/observation.ts'
import type { BackendMessage } from '../src/protocol/backend.ts'
import { failureOf } from './hostile/failure.ts'
import { refusing, worldOfHosts } from './support/hosts.ts'
import { lawful, type Method, ScriptedServer } from './support/scripted-server.ts'
import { uncaughtOf } from './support/uncaught.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

const TRACED = ['connect', 'state', 'cancel', 'query'] as const
const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const
const NAMES = [
  ...TRACED.flatMap((name) => EVENTS.map((event) => `tracing:pg-deadline:${name}:${event}`)),
  'pg-deadline:message:sent',
  'pg-deadline:message:received',
]

type Context = ConnectContext | StateContext | CancelContext | QueryContext | MessageContext

interface Published {
  /** Without 'tracing:' and 'pg-deadline:'. */
  readonly name: string
  readonly context: Context
}

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
  // Nothing of ours, and nothing of these tests, stays subscribed.
  expect(NAMES.filter((name) => channel(name).hasSubscribers)).toEqual([])
})

function listen(name: string, listener: ChannelListener): void {
  subscribe(name, listener)
  cleanups.push(() => unsubscribe(name, listener))
}

/** Call back for the first that is like this, and leave then; or when told. */
function listenOnce(name: string, which: object, callback: () => void): () => void {
  const whole = NAMES.find((one) => one.endsWith(`pg-deadline:${name}`)) as string
  const leave = () => {
    unsubscribe(whole, listener)
  }
  const listener = (context: unknown) => {
    if (!isMatch(context as Record<string, unknown>, which)) return
    leave()
    callback()
  }
  subscribe(whole, listener)
  return leave
}

function isMatch(context: Readonly<Record<string, unknown>>, which: object): boolean {
  return Object.entries(which).every(([name, value]) => context[name] === value)
}

/** What the client says until the server lets it in. */
const LOGIN = ['StartupMessage', 'SASLInitialResponse', 'SASLResponse']

/** Everything that is published on these channels, from now on. */
function record(wanted: RegExp = /./): Published[] {
  const published: Published[] = []
  for (const name of NAMES.filter((one) => wanted.test(one))) {
    listen(name, (context) =>
      published.push({ name: name.replace(/^(tracing:)?pg-deadline:/, ''), context: context as Context }),
    )
  }
  return published
}

function linesOf(published: readonly Published[]): string[] {
  return published.map(({ name, context }) => {
    if ('type' in context) return `${context.state} ${name.replace('message:', '')} ${context.type}`
    return 'state' in context ? `${name} ${context.state}` : name
  })
}

/** The contexts of one channel. */
function contextsOf<T extends Context>(published: readonly Published[], name: string): T[] {
  return published.filter((one) => one.name === name).map(({ context }) => context as T)
}

/** A server that lets everybody in and reads cancel requests. */
function cancelable(): ScriptedServer {
  const { answer } = lawful({ method: 'trust' })
  return new ScriptedServer((self, message) => {
    if (message.type === 'CancelRequest') self.end()
    else answer(self, message)
  })
}

describe('a connect', () => {
  it('is told in the order of tracePromise: its start, state by state, and its end', async () => {
    const published = record()
    await worldOf(lawful({ method: 'md5' })).connect()
    expect(linesOf(published).filter((line) => !/:(end|asyncEnd)/.test(line))).toEqual([
      'connect:start',
      'state:start Disconnected',
      'state:asyncStart Disconnected',
      'state:start ResolvingHost',
      'state:asyncStart ResolvingHost',
      'state:start Dialing',
      'state:asyncStart Dialing',
      'state:start Connected',
      'state:asyncStart Connected',
      'state:start AwaitingAuthentication',
      'AwaitingAuthentication sent StartupMessage',
      'AwaitingAuthentication received AuthenticationMD5Password',
      'state:asyncStart AwaitingAuthentication',
      'state:start AwaitingPassword',
      'state:asyncStart AwaitingPassword',
      'state:start AwaitingVerdict',
      'AwaitingVerdict sent PasswordMessage',
      'AwaitingVerdict received AuthenticationOk',
      'state:asyncStart AwaitingVerdict',
      'state:start AwaitingReady',
      'AwaitingReady received ParameterStatus',
      'AwaitingReady received ParameterStatus',
      'AwaitingReady received BackendKeyData',
      'AwaitingReady received ReadyForQuery',
      'state:asyncStart AwaitingReady',
      'state:start CheckingSession',
      'state:asyncStart CheckingSession',
      'connect:asyncStart',
    ])
    for (const name of ['connect', 'state']) {
      const count = (event: string) => contextsOf(published, `${name}:${event}`).length
      expect([count('end'), count('asyncStart'), count('asyncEnd')]).toEqual(Array(3).fill(count('start')))
    }
  })

  it('is known at its start by where it may go, who asks, and how long it has', async () => {
    const started: unknown[] = []
    listen('tracing:pg-deadline:connect:start', (context) => started.push({ ...(context as object) }))
    const world = worldOfHosts({ one: [refusing('57P03')], two: [lawful()] })
    await world.connect({ timeoutMs: 3_000 }, 'postgres://alice:secret@one,two:6432/app?sslmode=disable')
    expect(started).toEqual([
      {
        operation: 'connect',
        servers: [
          { host: 'one', port: 5432 },
          { host: 'two', port: 6432 },
        ],
        user: 'alice',
        database: 'app',
        timeoutMs: 3_000,
        server: null,
        peer: null,
        timeline: [],
        attempts: [],
      },
    ])
  })

  it('is known at its end by its session, its timeline, its attempts, and the server that let us in', async () => {
    const published = record(/connect/)
    const world = worldOfHosts({ one: [refusing('57P03')], two: [lawful()] })
    const session = await world.connect({}, 'postgres://alice:secret@one,two:6432/app?sslmode=disable')
    const [context] = contextsOf<ConnectContext>(published, 'connect:asyncStart')
    expect(context?.result).toBe(session)
    expect(context?.timeline).toBe(session.timeline)
    expect(context?.attempts).toBe(session.attempts)
    expect(context?.attempts).toHaveLength(1)
    expect(context).toMatchObject({ server: { host: 'two', port: 6432 }, peer: { host: '192.0.2.1', port: 5432 } })
    expect(new Set(published.map((one) => one.context)).size).toBe(1)
  })

  it('that fails is told with the error that the caller gets', async () => {
    const published = record()
    const error = await failureOf(worldOf(lawful({ password: 'another' })).connect())
    const [context] = contextsOf<ConnectContext>(published, 'connect:error')
    expect(context?.error).toBe(error)
    expect(context?.timeline).toBe(error.timeline)
    expect(context?.attempts).toBe(error.attempts)
    expect(context).not.toHaveProperty('result')
    const [state] = contextsOf<StateContext>(published, 'state:error')
    expect(state?.error).toBeInstanceOf(HandshakeError)
    expect(state?.error).toMatchObject({ phase: 'AwaitingSaslOutcome', failure: error.failure })
    expect(state?.entry).toEqual(error.timeline.at(-1))
    const lines = linesOf(published)
    const heardAt = lines.indexOf('AwaitingSaslOutcome received ErrorResponse')
    expect(heardAt).toBeGreaterThan(lines.indexOf('state:start AwaitingSaslOutcome'))
    expect(heardAt).toBeLessThan(lines.length - 6)
    expect(lines.slice(-6)).toEqual([
      'state:error AwaitingSaslOutcome',
      'state:asyncStart AwaitingSaslOutcome',
      'state:asyncEnd AwaitingSaslOutcome',
      'connect:error',
      'connect:asyncStart',
      'connect:asyncEnd',
    ])
  })

  it('that is aborted is told with the reason', async () => {
    const published = record(/error/)
    const caller = new AbortController()
    const world = worldOf(lawful({ silentAt: 'ReadyForQuery' }))
    const failed = failureOf(world.connect({ signal: caller.signal }))
    await settle()
    const reason = new Error('the user has left')
    caller.abort(reason)
    const error = await failed
    expect(published.map(({ name, context }) => [name, (context as ConnectContext).error])).toEqual([
      ['state:error', expect.objectContaining({ name: 'AbortError', phase: 'AwaitingReady', cause: reason })],
      ['connect:error', error],
    ])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(world.clock.activeTimers).toBe(0)
  })

  it('that runs out of time is told in the state that held, with the time that was left at each', async () => {
    const published = record()
    const world = worldOf(lawful({ silentAt: 'AuthenticationSASLContinue' }))
    const failed = failureOf(world.connect({ timeoutMs: 3_000 }))
    await settle()
    world.clock.advance(3_000)
    const { timeline } = await failed
    const states = contextsOf<StateContext>(published, 'state:asyncEnd')
    expect(states.map(({ entry }) => entry)).toEqual(timeline)
    expect(states.at(-1)).toMatchObject({
      state: 'AwaitingSaslChallenge',
      awaited: "the server's SCRAM challenge: nonce, salt and iterations",
      enteredMs: 0,
      remainingMs: 3_000,
      entry: { leftMs: 3_000 },
      error: { name: 'TimeoutError' },
    })
  })

  it('with several hosts is told attempt by attempt', async () => {
    const published = record()
    const world = worldOfHosts({ one: [refusing('57P03')], two: 'a black hole', three: [lawful()] })
    const connecting = world.connect({ timeoutMs: 3_000 }, 'postgres://alice:secret@one,two,three/app?sslmode=disable')
    await settle()
    world.clock.advance(1_500)
    await connecting
    const ends = contextsOf<StateContext>(published, 'state:error')
    expect(
      ends.map(({ attempt, server, encryption, sliceMs, state, enteredMs, remainingMs }) => {
        return [attempt, server.host, encryption, sliceMs, state, enteredMs, remainingMs]
      }),
    ).toEqual([
      [0, 'one', 'off', 1_000, 'AwaitingAuthentication', 0, 3_000],
      [1, 'two', 'off', 1_500, 'Dialing', 0, 3_000],
    ])
    const startups = contextsOf<MessageContext>(published, 'message:sent').filter(
      ({ type }) => type === 'StartupMessage',
    )
    expect(
      startups.map(({ attempt, server, flight, atMs, remainingMs }) => [
        attempt,
        server.host,
        flight,
        atMs,
        remainingMs,
      ]),
    ).toEqual([
      [0, 'one', 0, 0, 3_000],
      [2, 'three', 0, 1_500, 1_500],
    ])
  })

  it('to a Unix-domain socket has its path for a host, and no port', async () => {
    const published = record(/connect|state/)
    const path = '/run/postgresql/.s.PGSQL.5432'
    const world = worldOf(lawful(), {
      dial: async (destination, slice) => ({ ...(await lawful().dial(destination, slice)), remote: { path } }),
    })
    await world.connect({}, { host: '/run/postgresql', user: 'alice', password: 'secret', dbname: 'app' })
    const [context] = contextsOf<ConnectContext>(published, 'connect:asyncEnd')
    expect(context).toMatchObject({ server: { host: path, port: null }, peer: null })
  })

  it('whose configuration cannot be used is told, without states', async () => {
    const published = record()
    const error = await failureOf(worldOf(lawful()).connect({}, 'postgres://alice@db.example/app?sslmode=nonsense'))
    expect(linesOf(published)).toEqual([
      'connect:start',
      'connect:end',
      'connect:error',
      'connect:asyncStart',
      'connect:asyncEnd',
    ])
    expect(published[0]?.context).toMatchObject({
      servers: [],
      user: null,
      database: null,
      timeoutMs: null,
      server: null,
      error,
    })
  })

  it('that meets a defect of ours is told with the defect', async () => {
    const published = record(/error/)
    const defect = new TypeError('a defect')
    const world = worldOf(lawful(), { resolveHost: async () => Promise.reject(defect) })
    await expect(world.connect()).rejects.toBe(defect)
    expect(published.map(({ context }) => (context as StateContext).error)).toEqual([defect, defect])
    expect(published[1]?.context).toMatchObject({ timeline: [], attempts: [] })
  })

  it('has the same timeline whether or not anybody looks on', async () => {
    const alone = await worldOf(lawful()).connect()
    record()
    const watched = await worldOf(lawful()).connect()
    expect(watched.timeline).toEqual(alone.timeline)
  })

  it('is not changed by subscribers that throw: that becomes an uncaughtException', async () => {
    const alone = await worldOf(lawful()).connect()
    let thrown = 0
    for (const name of NAMES) {
      listen(name, () => {
        thrown += 1
        throw new Error(`a defect of a subscriber to ${name}`)
      })
    }
    const uncaught = await uncaughtOf(async () => {
      const session = await worldOf(lawful()).connect()
      expect(session.timeline).toEqual(alone.timeline)
      await expect(session.query('select 1')).resolves.toHaveLength(1)
      await failureOf(worldOf(lawful({ password: 'another' })).connect())
    })
    expect(thrown).toBeGreaterThan(100)
    expect(uncaught).toHaveLength(thrown)
  })

  it('is not changed by a subscriber that ends it: the next step is refused', async () => {
    const caller = new AbortController()
    listen('pg-deadline:message:sent', () => caller.abort())
    const server = lawful()
    const error = await failureOf(worldOf(server).connect({ signal: caller.signal }))
    expect(error).toMatchObject({ name: 'AbortError', phase: 'AwaitingAuthentication' })
    expect(server.destroyed).toBe(true)
  })

  it.each([
    ['before a state that sends', 'state:start', { state: 'Connected' }, 'Connected', []],
    [
      'before one that waits for an answer',
      'state:start',
      { state: 'AwaitingAuthentication' },
      'AwaitingAuthentication',
      [],
    ],
    ['when it hears what is about to be sent', 'message:sent', {}, 'AwaitingAuthentication', []],
    ['before a state that waits', 'state:start', { state: 'AwaitingReady' }, 'AwaitingReady', LOGIN],
    ['behind the state before that', 'state:asyncEnd', { result: 'AwaitingReady' }, 'AwaitingReady', LOGIN],
    ['in a state that waits', 'message:received', { state: 'AwaitingReady' }, 'AwaitingReady', LOGIN],
  ] as const)(
    'is ended by a subscriber though the server says nothing more: %s',
    async (_when, name, which, phase, sent) => {
      for (const how of ['abort', 'close'] as const) {
        const caller = new AbortController()
        const server = lawful({ silentAt: 'ReadyForQuery' })
        const world = worldOf(server)
        const shown: unknown[] = []
        const show = (context: unknown) => shown.push((context as MessageContext).type)
        subscribe('pg-deadline:message:sent', show)
        const end = listenOnce(name, which, () => (how === 'abort' ? caller.abort() : void connecting.close()))
        const connecting = world.connect({ signal: caller.signal })
        const error = await failureOf(connecting)
        expect(error).toMatchObject({ name: 'AbortError', phase })
        expect(server.names).toEqual(sent)
        // What is told of it is what happened.
        const noted = error.timeline.flatMap(({ messages }) => messages.filter(({ direction }) => direction === 'sent'))
        expect(noted.map((message) => message.name)).toEqual(sent)
        unsubscribe('pg-deadline:message:sent', show)
        expect(shown).toEqual(name === 'message:sent' ? ['StartupMessage'] : sent)
        expect(server.destroyed).toBe(true)
        expect(world.clock.activeTimers).toBe(0)
        end()
      }
    },
  )

  it.each(['abort', 'close'] as const)(
    'that is Ready is not ended any more by one who hears of it: %s',
    async (how) => {
      const caller = new AbortController()
      const server = lawful()
      const closing: Promise<void>[] = []
      const end = listenOnce('state:asyncEnd', { result: 'Ready' }, () => {
        if (how === 'abort') caller.abort()
        else closing.push(connecting.close())
      })
      const connecting = worldOf(server).connect({ signal: caller.signal })
      const session = await connecting
      end()
      expect([caller.signal.aborted, closing.length]).toEqual(how === 'abort' ? [true, 0] : [false, 1])
      if (how === 'abort') await expect(session.query('select 1')).resolves.toHaveLength(1)
      await Promise.all(closing)
      await session.close()
      expect(session.phase).toBe('Closed')
      expect(server.names.at(-1)).toBe('Terminate')
      expect(server.destroyed).toBe(true)
    },
  )

  it('of a session that its subscriber ends settles, too', async () => {
    const session = await worldOf(lawful()).connect()
    listen('tracing:pg-deadline:query:start', () => void session.close({ signal: AbortSignal.abort() }))
    await expect(session.query('select 1')).rejects.toMatchObject({ failure: { kind: 'lost', code: 'ECLOSED' } })
    expect(session.phase).toBe('Closed')
  })

  it('is seen by those who had subscribed when it began, and by no others', async () => {
    const world = worldOf(lawful({ silentAt: 'AuthenticationOk' }))
    const failed = failureOf(world.connect({ timeoutMs: 1_000 }))
    await settle()
    const published = record()
    world.clock.advance(1_000)
    await failed
    expect(published).toEqual([])
  })

  it('goes on when a subscriber leaves', async () => {
    const seen: unknown[] = []
    const leave = (context: unknown) => {
      seen.push(context)
      unsubscribe('pg-deadline:message:received', leave)
    }
    listen('pg-deadline:message:received', leave)
    await worldOf(lawful()).connect()
    expect(seen).toHaveLength(1)
  })
})

describe('what is bound to a start', () => {
  it('holds in all that is done for it: AsyncLocalStorage reaches the function for the password', async () => {
    const store = new AsyncLocalStorage<string>()
    const ofConnect = channel('tracing:pg-deadline:connect:start')
    const ofState = channel('tracing:pg-deadline:state:start')
    ofConnect.bindStore(store, () => 'connect')
    ofState.bindStore(store, (context) => `${store.getStore()} > ${(context as StateContext).state}`)
    cleanups.push(
      () => ofConnect.unbindStore(store),
      () => ofState.unbindStore(store),
    )
    const seen: unknown[] = []
    const password = async () => {
      seen.push(store.getStore())
      await settle()
      seen.push(store.getStore())
      return 'secret'
    }
    const target: ConnectTarget = { host: 'db.example', user: 'alice', dbname: 'app', sslmode: 'disable', password }
    await store.run('outside', async () => {
      await worldOf(lawful()).connect({}, target)
      expect(store.getStore()).toBe('outside')
    })
    // It is asked while the connection is being opened, and stays where it was asked.
    expect(seen).toEqual(['connect > ResolvingHost', 'connect > ResolvingHost'])
  })
})

describe('a message', () => {
  it('is told with its type, its length, its flight, and what may be seen of it', async () => {
    const published = record(/message/)
    await worldOf(lawful({ method: 'password' })).connect({ timeoutMs: 3_000 })
    const contexts = published.map(({ context }) => context as MessageContext)
    expect(contexts.map(({ type, lengthBytes, flight, view }) => [type, lengthBytes, flight, view])).toEqual([
      [
        'StartupMessage',
        54,
        0,
        { protocolVersion: '3.0', user: 'alice', database: 'app', parameters: ['user', 'database', 'client_encoding'] },
      ],
      ['AuthenticationCleartextPassword', 9, 1, {}],
      ['PasswordMessage', 12, 2, {}],
      ['AuthenticationOk', 9, 3, {}],
      ['ParameterStatus', 25, 3, { name: 'server_version', value: '18.4' }],
      ['ParameterStatus', 29, 3, { name: 'TimeZone', value: 'Europe/Zürich' }],
      ['BackendKeyData', 13, 3, { processId: 4711 }],
      ['ReadyForQuery', 6, 3, { status: 'I' }],
    ])
    expect(contexts[0]?.parent).toMatchObject({ operation: 'connect', database: 'app' })
  })
})

describe('a query', () => {
  it('is told with its results, and its text does not show', async () => {
    const session = await worldOf(lawful()).connect()
    const published = record()
    // At the start: the scripted server says the text back, as the tag of its command.
    const faces: string[] = []
    listen('tracing:pg-deadline:query:start', (context) => faces.push(inspect(context), JSON.stringify(context)))
    const results = await session.query("select 'a literal'", { timeoutMs: 500 })
    expect(linesOf(published)).toEqual(['query:start', 'query:end', 'query:asyncStart', 'query:asyncEnd'])
    const context = published[0]?.context as QueryContext
    expect(context).toMatchObject({
      server: { host: 'db.example', port: 5432 },
      user: 'alice',
      database: 'app',
      timeoutMs: 500,
    })
    expect(context.result).toBe(results)
    expect(context.text).toBe("select 'a literal'")
    expect(faces.join()).toContain('alice')
    expect(faces.join()).not.toContain('a literal')
  })

  it('that fails is told with its SessionError', async () => {
    const session = await worldOf(lawful()).connect()
    const published = record(/error/)
    const error = await session.query('select 1', { signal: AbortSignal.abort() }).catch((reason) => reason)
    expect(error).toBeInstanceOf(SessionError)
    expect(published.map(({ name, context }) => [name, (context as QueryContext).error])).toEqual([
      ['query:error', error],
    ])
    expect(published[0]?.context).toMatchObject({ timeoutMs: Number.POSITIVE_INFINITY })
  })

  it('that was given to connect is told too', async () => {
    const published = record(/query:start/)
    const session = await worldOf(lawful()).connect({ firstQuery: { text: 'select 1' } })
    await session.firstResult
    expect(published.map(({ context }) => (context as QueryContext).text)).toEqual(['select 1'])
  })
})

describe('a cancel request', () => {
  it('is told with the backend, and its states belong to it', async () => {
    const server = cancelable()
    const session = await worldOf(server).connect()
    server.received.length = 0
    const published = record()
    await session.cancel()
    const [context] = contextsOf<CancelContext>(published, 'cancel:asyncEnd')
    expect(context).toEqual({
      operation: 'cancel',
      server: { host: 'db.example', port: 5432 },
      peer: { host: '192.0.2.1', port: 5432 },
      user: 'alice',
      database: 'app',
      processId: 4711,
      timeline: [],
      result: undefined,
    })
    const states = contextsOf<StateContext>(published, 'state:start')
    expect(states.map(({ state }) => state)).toEqual(['Disconnected', 'Dialing', 'Connected', 'AwaitingCancelClose'])
    expect(states.map(({ parent }) => parent)).toEqual(states.map(() => context))
    expect(states.map((one) => one.server)).toEqual(states.map(() => context?.server))
  })

  it('that fails is told with its error and its timeline', async () => {
    const session = await worldOf(lawful({ method: 'trust' })).connect()
    const published = record(/cancel:error/)
    const error = await failureOf(session.cancel({ signal: AbortSignal.abort() }))
    expect(published[0]?.context).toMatchObject({ error, timeline: error.timeline })
    expect(error.timeline).not.toEqual([])
  })
})

describe('secrets', () => {
  /** A password that says itself, and nothing else. */
  const PASSWORD = 'correct-horse-battery'

  /** Everything in what was said that must not show, as it stands in the bytes. */
  function secretsIn(seen: readonly Observation[]): string[] {
    return seen.flatMap((one) => {
      if (one.type !== 'message' || one.message === null) return []
      const { message } = one
      switch (message.type) {
        case 'PasswordMessage':
          return [message.password]
        case 'BackendKeyData':
          return [inspect(message.secretKey), Buffer.from(message.secretKey).toString('hex')]
        case 'AuthenticationMD5Password':
          return [inspect(message.salt)]
        case 'SASLInitialResponse':
        case 'SASLResponse':
        case 'AuthenticationSASLContinue':
        case 'AuthenticationSASLFinal':
          // Nonce, salt, proof, signature; channel binding and user name are none.
          return [
            ...(Buffer.from(message.data ?? [])
              .toString()
              .matchAll(/[rspv]=([^,]+)/g) ?? []),
          ].map(([, value]) => value as string)
        default:
          return []
      }
    })
  }

  const faceOf = (context: Context) =>
    inspect(context, { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null })

  it.each(['trust', 'password', 'md5', 'scram-sha-256'] as const)('do not show under %s', async (method: Method) => {
    const published = record()
    const seen: Observation[] = []
    const world = worldOf(lawful({ method, password: PASSWORD }), { observe: (one) => seen.push(one) })
    await world.connect({}, `postgres://alice:${PASSWORD}@db.example/app?allow_cleartext_password=true&sslmode=disable`)
    const secrets = [PASSWORD, ...secretsIn(seen)]
    expect(secrets.length).toBeGreaterThan({ trust: 2, password: 3, md5: 4, 'scram-sha-256': 8 }[method])
    for (const { name, context } of published) {
      expect([name, secrets.filter((secret) => faceOf(context).includes(secret))]).toEqual([name, []])
    }
  })

  it.each(['password', 'md5', 'scram-sha-256'] as const)(
    'do not show when the server says them back, under %s',
    async (method: Method) => {
      const { answer } = lawful({ method, password: PASSWORD })
      const echo = (text: string): readonly BackendMessage[] => [
        { type: 'ParameterStatus', name: text, value: text },
        {
          type: 'NoticeResponse',
          fields: [
            { code: 'S', value: text },
            { code: 'M', value: text },
          ],
        },
        { type: 'NotificationResponse', processId: 1, channel: text, payload: text },
        {
          type: 'ErrorResponse',
          fields: [
            { code: 'S', value: 'FATAL' },
            { code: 'C', value: '28000' },
            { code: 'M', value: text },
          ],
        },
      ]
      const server = new ScriptedServer((self, message) => {
        if (message.type === 'PasswordMessage') self.send({ type: 'AuthenticationOk' }, ...echo(message.password))
        else if (message.type === 'SASLResponse')
          self.send(
            ...echo(Buffer.from(message.data).toString()).slice(1, 2),
            ...echo(`${Buffer.from(message.data)}`).slice(3),
          )
        else answer(self, message)
      })
      const published = record()
      const seen: Observation[] = []
      const world = worldOf(server, { observe: (one) => seen.push(one) })
      await failureOf(
        world.connect({}, `postgres://alice:${PASSWORD}@db.example/app?allow_cleartext_password=true&sslmode=disable`),
      )
      const sent = seen.filter((one) => one.type === 'message' && one.direction === 'sent')
      const secrets = [PASSWORD, ...secretsIn(sent)]
      for (const { name, context } of published.filter(({ name }) => /message/.test(name))) {
        const { view } = context as MessageContext
        expect([name, secrets.filter((secret) => inspect(view).includes(secret))]).toEqual([name, []])
      }
      expect(
        contextsOf<MessageContext>(published, 'message:received')
          .map(({ view }) => inspect(view))
          .join(),
      ).toContain('withheld')
    },
  )
})

/** The example for OpenTelemetry, with its SDK: the spans, their names and their attributes. */
import { channel } from 'node:diagnostics_channel'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { traceWithOpenTelemetry } from '../../examples/opentelemetry.ts'
import { failureOf } from '../hostile/failure.ts'
import { refusing, worldOfHosts } from '../support/hosts.ts'
import { lawful, ScriptedServer } from '../support/scripted-server.ts'
import { settle } from '../support/virtual-clock.ts'
import { worldOf } from '../support/world.ts'

let exporter: InMemorySpanExporter
let provider: BasicTracerProvider
let stop: () => void

beforeEach(() => {
  exporter = new InMemorySpanExporter()
  provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  stop = traceWithOpenTelemetry(provider.getTracer('test'))
})
afterEach(async () => {
  stop()
  await provider.shutdown()
})

const TARGET = 'postgres://alice:secret@one:6432,two:6432/app?sslmode=disable'

const operations = () => exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT)
const statesOf = (operation: ReadableSpan) => {
  const { spanId } = operation.spanContext()
  return exporter.getFinishedSpans().filter(({ parentSpanContext }) => parentSpanContext?.spanId === spanId)
}

describe('a connect', () => {
  it('is a span with a span for each state in it', async () => {
    await worldOf(lawful({ method: 'trust' })).connect({ timeoutMs: 3_000 })
    const [connect, ...others] = operations()
    expect(others).toEqual([])
    expect(connect?.name).toBe('connect app')
    expect(connect?.attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.namespace': 'app',
      'db.operation.name': 'connect',
      'server.address': 'db.example',
      'network.peer.address': '192.0.2.1',
      'network.peer.port': 5432,
    })
    expect(connect?.status).toEqual({ code: SpanStatusCode.UNSET })
    const states = statesOf(connect as ReadableSpan)
    expect(states.map(({ name }) => name)).toEqual([
      'Disconnected',
      'ResolvingHost',
      'Dialing',
      'Connected',
      'AwaitingAuthentication',
      'AwaitingReady',
      'CheckingSession',
    ])
    expect(states[0]?.attributes).toEqual({
      'server.address': 'db.example',
      'server.port': 5432,
      'pg_deadline.attempt': 0,
      'pg_deadline.remaining_ms': 3_000,
    })
  })

  it('that is refused has the SQLSTATE', async () => {
    const error = await failureOf(worldOf(lawful({ password: 'another' })).connect())
    const [connect] = operations()
    expect(connect?.attributes).toMatchObject({ 'db.response.status_code': '28P01', 'error.type': '28P01' })
    expect(connect?.status).toEqual({ code: SpanStatusCode.ERROR, message: error.message })
    expect(statesOf(connect as ReadableSpan).at(-1)).toMatchObject({
      name: 'AwaitingSaslOutcome',
      attributes: { 'db.response.status_code': '28P01', 'error.type': '28P01' },
      status: { code: SpanStatusCode.ERROR },
    })
  })

  it('to several hosts says what was configured, and each state where it was', async () => {
    const world = worldOfHosts({ one: 'closed', two: 'a black hole' })
    const failed = failureOf(world.connect({ timeoutMs: 1_000 }, TARGET))
    await settle()
    world.clock.advance(1_000)
    await failed
    const [connect] = operations()
    expect(connect?.attributes).toMatchObject({
      'server.address': 'one,two',
      'server.port': 6432,
      'error.type': 'deadline',
    })
    expect(connect?.attributes).not.toHaveProperty('db.response.status_code')
    const failures = statesOf(connect as ReadableSpan).filter(({ status }) => status.code === SpanStatusCode.ERROR)
    expect(
      failures.map(({ name, attributes }) => [name, attributes['server.address'], attributes['error.type']]),
    ).toEqual([
      ['Dialing', 'one', 'ECONNREFUSED'],
      ['Dialing', 'two', 'deadline'],
    ])
  })

  it('has no port where there are several', async () => {
    const world = worldOfHosts({ one: [refusing('28000')] })
    await failureOf(world.connect({ timeoutMs: Number.POSITIVE_INFINITY }, TARGET.replace('two:6432', 'two:6433')))
    expect(operations()[0]?.attributes).not.toHaveProperty('server.port')
    expect(statesOf(operations()[0] as ReadableSpan)[0]?.attributes).not.toHaveProperty('pg_deadline.remaining_ms')
  })

  it('whose configuration cannot be used is called by the system alone', async () => {
    await failureOf(worldOf(lawful()).connect({}, 'postgres://alice@one/app?sslmode=nonsense'))
    expect(operations().map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
      ['connect', 'config'],
    ])
  })
})

describe('a query', () => {
  it('is called by the database, since its text is not for others', async () => {
    const session = await worldOf(lawful({ method: 'trust' })).connect()
    exporter.reset()
    await session.query("select 'a literal'")
    const [query] = operations()
    expect(query?.name).toBe('app')
    expect(query?.attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.namespace': 'app',
      'server.address': 'db.example',
    })
  })
})

describe('a cancel request', () => {
  it('is a span with its states', async () => {
    const { answer } = lawful({ method: 'trust' })
    const server = new ScriptedServer((self, message) => {
      if (message.type === 'CancelRequest') self.end()
      else answer(self, message)
    })
    const session = await worldOf(server).connect()
    server.received.length = 0
    exporter.reset()
    await session.cancel()
    const [cancel] = operations()
    expect(cancel?.name).toBe('cancel app')
    expect(cancel?.attributes).toMatchObject({ 'db.operation.name': 'cancel', 'server.address': 'db.example' })
    expect(statesOf(cancel as ReadableSpan)).toHaveLength(4)
  })
})

describe('when it is stopped', () => {
  it('nothing is left subscribed', async () => {
    const names = ['connect', 'state', 'query', 'cancel'].flatMap((name) =>
      ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((event) => `tracing:pg-deadline:${name}:${event}`),
    )
    const subscribed = () => names.filter((name) => channel(name).hasSubscribers)
    expect(subscribed()).toHaveLength(names.length)
    stop()
    expect(subscribed()).toEqual([])
  })

  it('and when it begins late, what was under way has no span of it', async () => {
    const world = worldOf(lawful({ silentAt: 'AuthenticationOk' }))
    const failed = failureOf(world.connect({ timeoutMs: 1_000 }))
    await settle()
    const late = new InMemorySpanExporter()
    const stopLate = traceWithOpenTelemetry(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(late)] }).getTracer('late'),
    )
    world.clock.advance(1_000)
    await failed
    stopLate()
    expect(operations()).toHaveLength(1)
    expect(late.getFinishedSpans()).toEqual([])
  })
})

/**
 * Spans of OpenTelemetry for connects, their states, queries and cancel requests, made from the channels that pg-deadline
 * publishes on. It imports nothing of pg-deadline but types: the channels are Node's.
 *
 * Names are those of the semantic conventions (https://opentelemetry.io/docs/specs/semconv/db/postgresql/). As they ask,
 * here is what stands in two of them: `db.namespace` is the database of the configuration, without a schema; `error.type`
 * is the SQLSTATE if the server refused, the operating system's code if the connection was lost, else `failure.kind`.
 */
import { tracingChannel } from 'node:diagnostics_channel'
import { type Attributes, context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type {
  CancelContext,
  ConnectContext,
  HandshakeError,
  QueryContext,
  ServerAddress,
  SessionError,
  StateContext,
} from 'pg-deadline'

type Operation = ConnectContext | CancelContext | QueryContext

const DEFAULT_PORT = 5432

/** Make spans from now on, with this tracer. What is returned ends it. */
export function traceWithOpenTelemetry(tracer: Tracer): () => void {
  const spans = new WeakMap<object, Span>()

  const operations = {
    start(operation: Operation) {
      // Not for a query: its text holds values, and what it does could only be learnt from its text.
      const name = operation.operation === 'query' ? undefined : operation.operation
      const servers = 'servers' in operation ? operation.servers : [operation.server]
      const attributes: Attributes = {
        'db.system.name': 'postgresql',
        ...defined('db.namespace', operation.database ?? undefined),
        ...defined('db.operation.name', name),
        ...addressOf(servers),
      }
      const spanName = [name, operation.database].filter(Boolean).join(' ') || 'postgresql'
      spans.set(operation, tracer.startSpan(spanName, { kind: SpanKind.CLIENT, attributes }))
    },
    asyncEnd(operation: Operation) {
      const span = spans.get(operation)
      if (span === undefined) return
      const peer = 'peer' in operation ? operation.peer : null
      if (peer !== null) span.setAttributes({ 'network.peer.address': peer.host, ...port('network.peer.port', peer) })
      end(span, operation.error)
    },
  }

  const states = {
    start(state: StateContext) {
      const operation = spans.get(state.parent)
      const parent = operation === undefined ? context.active() : trace.setSpan(context.active(), operation)
      const attributes: Attributes = {
        'server.address': state.server.host,
        ...port('server.port', state.server),
        'pg_deadline.attempt': state.attempt,
        // Infinity, no limit, is no number that an exporter knows.
        ...(Number.isFinite(state.remainingMs) ? { 'pg_deadline.remaining_ms': state.remainingMs } : {}),
      }
      spans.set(state, tracer.startSpan(state.state, { kind: SpanKind.INTERNAL, attributes }, parent))
    },
    asyncEnd(state: StateContext) {
      const span = spans.get(state)
      if (span !== undefined) end(span, state.error)
    },
  }

  const nothing = () => {}
  const listening = [
    ...['connect', 'cancel', 'query'].map((name) => [name, operations] as const),
    ['state', states] as const,
  ].map(([name, { start, asyncEnd }]) => {
    const channel = tracingChannel<unknown, object>(`pg-deadline:${name}`)
    // Node hands over what was published: of these channels, such a context.
    const onStart = start as (published: object) => void
    const onEnd = asyncEnd as (published: object) => void
    const handlers = { start: onStart, end: nothing, asyncStart: nothing, asyncEnd: onEnd, error: nothing }
    channel.subscribe(handlers)
    return () => channel.unsubscribe(handlers)
  })
  return () => {
    for (const stop of listening) stop()
  }
}

/** A span of what failed says so; of what succeeded, it says nothing, as the conventions have it. */
function end(span: Span, error: unknown): void {
  if (error !== undefined) {
    const { failure, message } = error as HandshakeError | SessionError
    if (failure.kind === 'refused') span.setAttribute('db.response.status_code', failure.sqlstate)
    span.setAttribute('error.type', errorTypeOf(failure))
    span.setStatus({ code: SpanStatusCode.ERROR, message })
  }
  span.end()
}

function errorTypeOf(failure: HandshakeError['failure']): string {
  if (failure.kind === 'refused') return failure.sqlstate
  return failure.kind === 'lost' ? failure.code : failure.kind
}

/** What was configured, and not which of the hosts it came to; the port if it is one, and not PostgreSQL's own. */
function addressOf(servers: readonly ServerAddress[]): Attributes {
  const [first] = servers
  if (first === undefined) return {}
  const ports = new Set(servers.map((server) => server.port))
  const address = { 'server.address': servers.map(({ host }) => host).join(',') }
  return ports.size === 1 && first.port !== DEFAULT_PORT ? { ...address, ...port('server.port', first) } : address
}

/** A Unix-domain socket has none. */
function port(name: string, server: ServerAddress): Attributes {
  return defined(name, server.port ?? undefined)
}

function defined(name: string, value: string | number | undefined): Attributes {
  return value === undefined ? {} : { [name]: value }
}

/**
 * What you hold after ReadyForQuery. The rules of the query cycle are in state/session/table.ts; this
 * listens, does what they ask for, and hands the results to whoever asked.
 */
import { type Clock, Deadline } from './net/deadline.ts'
import { TransportError } from './net/transport.ts'
import { decodeBackend } from './protocol/backend.ts'
import { decodeDataRow } from './protocol/data-row.ts'
import { type Failure, Fault } from './protocol/failure.ts'
import type { Frame } from './protocol/frame.ts'
import type { ServerReport } from './protocol/response-fields.ts'
import type { ProtocolVersion } from './protocol/startup.ts'
import { type QueryResult, ResultCollector } from './query-result.ts'
import { SessionError } from './state/errors.ts'
import type { AuthenticationMethod, StateOf } from './state/handshake/states.ts'
import type { SessionEffect, SessionEvent, SessionState } from './state/session/states.ts'
import type { SessionStateName } from './state/session/table.ts'
import { session } from './state/session/transitions.ts'
import type { Timeline } from './state/timeline.ts'
import type { Wire } from './wire.ts'

/** How long close() waits for the server before it lets go, unless it is told otherwise. */
const DEFAULT_CLOSE_TIMEOUT_MS = 5_000

/** Notices that are kept while no query runs. */
const NOTICES_KEPT = 64

export interface WaitOptions {
  /** Milliseconds from the call on. Default: no limit for a query, 5 seconds for close. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** A query that waits or runs. */
interface Job {
  readonly text: string
  readonly deadline: Deadline
  readonly collector: ResultCollector
  readonly resolve: (results: readonly QueryResult[]) => void
  readonly reject: (error: unknown) => void
  /** The ErrorResponse, if there was one: the query fails with it once the server is ready again. */
  error: SessionError | null
}

export class Session implements AsyncDisposable {
  /** How the server had us prove who we are. 'none': it did not ask. */
  readonly authenticationMethod: AuthenticationMethod
  readonly protocolVersion: ProtocolVersion
  /** For a cancel request. null behind poolers that send none: such a session cannot cancel. */
  readonly backendKeyData: { readonly processId: number; readonly secretKey: Uint8Array } | null
  /** How the connect went, state by state. */
  readonly timeline: Timeline

  readonly #wire: Wire
  readonly #clock: Clock
  /** Ends the listening. Its reason is never shown. */
  readonly #life = new AbortController()
  readonly #parameters: Map<string, string>
  readonly #notices: ServerReport[]
  #state: SessionState
  /** The first is the one that runs, unless the session is idle. */
  readonly #jobs: Job[] = []
  #ended: SessionError | null = null
  #closing: Promise<void> | null = null
  readonly #onIdle: (() => void)[] = []

  /** Made by connect(), which hands over the wire and all that the server said. */
  constructor(wire: Wire, ready: StateOf<'Ready'>, timeline: Timeline, clock: Clock) {
    this.#wire = wire
    this.#clock = clock
    this.#state = { name: 'Idle', transactionStatus: ready.transactionStatus }
    this.#parameters = new Map(ready.parameters)
    this.#notices = [...ready.notices]
    this.authenticationMethod = ready.authenticationMethod
    this.protocolVersion = ready.protocolVersion
    this.backendKeyData = ready.backendKeyData
    this.timeline = timeline
    wire.enterSession()
    void this.#listen()
  }

  /** What the server last reported in ParameterStatus. Live: it changes as the server reports changes. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters
  }

  /** Notices that came while connecting or between queries, the latest 64. */
  get notices(): readonly ServerReport[] {
    return this.#notices
  }

  /** The name of the state: Idle, ReadingRows, Closed, Failed and so on. */
  get phase(): SessionStateName {
    return this.#state.name
  }

  /**
   * Run a query text under the simple protocol (#PROTOCOL-FLOW-SIMPLE-QUERY): one result per statement, values
   * as text. Calls are served in order.
   *
   * Rejects with SessionError. If the server refused (`error.sqlstate`), the session goes on. If the caller
   * aborts or the time is up while the query runs, the session ends with it, since nobody can know what the
   * server would have answered; a query that had not begun is taken out of the line and nothing else happens.
   *
   * @example
   * const [result] = await session.query('select 40 + 2 as answer', { timeoutMs: 500 })
   * result.objects() // [{ answer: '42' }]
   */
  query(text: string, { timeoutMs, signal }: WaitOptions = {}): Promise<readonly QueryResult[]> {
    return new Promise((resolve, reject) => {
      if (typeof text !== 'string' || text.includes('\0') || !text.isWellFormed()) {
        throw new TypeError('query: expected a string without NUL and without half of a surrogate pair')
      }
      if (this.#ended !== null || this.#closing !== null) throw this.#ended ?? this.#closed()

      const deadline = new Deadline({ timeoutMs, signal, clock: this.#clock })
      const job: Job = { text, deadline, collector: new ResultCollector(), resolve, reject, error: null }
      this.#jobs.push(job)
      const onAbort = () => this.#abort(job)
      if (deadline.signal.aborted) onAbort()
      else deadline.signal.addEventListener('abort', onAbort)
      if (this.#jobs[0] === job) this.#begin(job)
    })
  }

  /**
   * Close the session: wait for the queries that were asked for, say Terminate, wait for the server to close
   * the connection. At its deadline, or when its signal is aborted, the socket is destroyed instead. It
   * never rejects; calling it again gives the same promise.
   */
  close({ timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS, signal }: WaitOptions = {}): Promise<void> {
    if (this.#closing === null) {
      const deadline = new Deadline({ timeoutMs, signal, clock: this.#clock })
      // Set before anything happens: what ends from now on was closed.
      this.#closing = Promise.resolve().then(() => this.#close(deadline))
    }
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(deadline: Deadline): Promise<void> {
    const { signal } = deadline
    const onAbort = () => this.#end(this.#closed())
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort)
    while (this.#ended === null) {
      if (this.#state.name === 'Idle' && this.#jobs.length === 0) this.#apply({ type: 'SendTerminate' })
      await new Promise<void>((resolve) => this.#onIdle.push(resolve))
    }
    signal.removeEventListener('abort', onAbort)
    deadline[Symbol.dispose]()
  }

  /** Read until the session ends. */
  async #listen(): Promise<void> {
    const { signal } = this.#life
    while (this.#ended === null) {
      try {
        for (let frame = this.#wire.poll(); frame !== null; frame = this.#wire.poll()) this.#apply(decode(frame))
        if (!(await this.#wire.fill(signal))) {
          this.#apply({ type: 'TransportLost', code: 'FIN', detail: 'end of stream' })
        }
      } catch (error) {
        if (error instanceof TransportError) {
          this.#apply({ type: 'TransportLost', code: error.code, detail: error.message }, error)
        } else if (error instanceof Fault) this.#end(this.#failed(error.failure))
        else if (!signal.aborted) throw error
      }
    }
  }

  /** Take one step, and do what it asks for. */
  #apply(event: SessionEvent, cause?: unknown): void {
    const { state, effects } = session.receive(this.#state, event, this.#life.signal)
    const before = this.#state.name
    this.#state = state
    for (const effect of effects) this.#perform(effect, before)
    if (state.name === 'Failed') {
      this.#end(new SessionError(before, state.failure, cause === undefined ? {} : { cause }))
    } else if (state.name === 'Closed') this.#end(this.#closed())
  }

  #perform(effect: SessionEffect, phase: SessionStateName): void {
    const collector = this.#jobs[0]?.collector
    switch (effect.do) {
      case 'send':
        // Whoever listens meets a broken transport first, and with it what the server still had to say.
        this.#wire.send(effect.message, this.#life.signal).catch((error: unknown) => {
          if (!(error instanceof TransportError || this.#life.signal.aborted)) throw error
        })
        return
      case 'describe':
        collector?.describe(effect.columns)
        return
      case 'addRow':
        collector?.addRow(effect.values)
        return
      case 'addCopyData':
        collector?.addCopyData(effect.data)
        return
      case 'completeResult':
        collector?.complete(effect.commandTag)
        return
      case 'reportError': {
        const [job] = this.#jobs
        if (job !== undefined) job.error ??= new SessionError(phase, effect.failure)
        return
      }
      case 'reportNotice':
        if (collector !== undefined) collector.addNotice(effect.report)
        else if (this.#notices.push(effect.report) > NOTICES_KEPT) this.#notices.shift()
        return
      case 'setParameter':
        this.#parameters.set(effect.name, effect.value)
        return
      case 'settleQuery':
        this.#settle()
        return
    }
  }

  #begin(job: Job): void {
    if (this.#state.name === 'Idle') this.#apply({ type: 'SendQuery', text: job.text })
  }

  /** The server is ready again: the first job is done, and the next one may begin. */
  #settle(): void {
    const job = this.#jobs.shift()
    if (job !== undefined) {
      job.deadline[Symbol.dispose]()
      if (job.error === null) job.resolve(job.collector.results)
      else job.reject(job.error)
    }
    const [next] = this.#jobs
    if (next !== undefined) this.#begin(next)
    this.#tell()
  }

  #abort(job: Job): void {
    const { deadline } = job
    const failure: Failure = deadline.expired
      ? { kind: 'deadline', timeoutMs: deadline.timeoutMs }
      : { kind: 'aborted' }
    const error = this.#failed(failure, { cause: deadline.signal.reason })
    if (this.#jobs[0] === job && this.#state.name !== 'Idle') {
      this.#end(error)
      return
    }
    this.#jobs.splice(this.#jobs.indexOf(job), 1)
    deadline[Symbol.dispose]()
    job.reject(error)
  }

  /** The end, whatever led to it. Everybody who waits is told, and nothing is left behind. */
  #end(error: SessionError): void {
    if (this.#ended !== null) return
    this.#ended = error
    this.#life.abort(error)
    this.#wire.destroy()
    if (this.#state.name !== 'Failed' && this.#state.name !== 'Closed') {
      const phase = this.#state.name
      this.#state = this.#closing === null ? { name: 'Failed', phase, failure: error.failure } : { name: 'Closed' }
    }
    for (const job of this.#jobs.splice(0)) {
      job.deadline[Symbol.dispose]()
      job.reject(job.error ?? error)
    }
    this.#tell()
  }

  #tell(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #failed(failure: Failure, options?: ErrorOptions): SessionError {
    return new SessionError(this.#state.name, failure, options)
  }

  #closed(): SessionError {
    return this.#failed({ kind: 'lost', code: 'ECLOSED', detail: 'the session was closed by close()' })
  }
}

function decode({ tag, body }: Frame): SessionEvent {
  if (tag === 'D') return { type: 'DataRow', values: decodeDataRow(body) }
  return decodeBackend(tag, body) as Exclude<ReturnType<typeof decodeBackend>, { type: 'DataRow' }>
}

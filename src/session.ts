/**
 * What you hold after ReadyForQuery. The rules of the query cycle are in state/session/table.ts; this
 * listens, does what they ask for, and hands the results to whoever asked.
 */
import { hookQuery, isQueryHooked, type SessionIdentity } from './hooks.ts'
import { type Clock, Deadline } from './net/deadline.ts'
import { TransportError } from './net/transport.ts'
import { decodeBackend } from './protocol/backend.ts'
import { decodeDataRow } from './protocol/data-row.ts'
import { type Failure, Fault } from './protocol/failure.ts'
import type { Frame } from './protocol/frame.ts'
import { LIMITS } from './protocol/limits.ts'
import type { ServerReport } from './protocol/response-fields.ts'
import type { ProtocolVersion } from './protocol/startup.ts'
import { type FailedAttempt, SessionError } from './state/errors.ts'
import type { AuthenticationMethod, StateOf, TlsFacts } from './state/handshake/states.ts'
import { keepLatest, type QueryResult, ResultCollector } from './state/session/query-result.ts'
import type { SessionEffect, SessionEvent, SessionState } from './state/session/states.ts'
import type { SessionStateName } from './state/session/table.ts'
import { session } from './state/session/transitions.ts'
import type { Timeline } from './state/timeline.ts'
import { type FirstQuery, findMisuse, findTextMisuse, type WaitOptions } from './wait-options.ts'
import type { Wire } from './wire.ts'

/** How long close() waits for the server before it lets go, unless it is told otherwise. */
const DEFAULT_CLOSE_TIMEOUT_MS = 5_000

/** What a cancel request needs. Its key is a secret: it can be read, but does not show when this is printed. */
export class BackendKey {
  readonly processId: number
  readonly #secretKey: Uint8Array

  constructor({ processId, secretKey }: { readonly processId: number; readonly secretKey: Uint8Array }) {
    this.processId = processId
    this.#secretKey = secretKey
  }

  /** Four bytes under protocol 3.0, up to 256 under 3.2. */
  get secretKey(): Uint8Array {
    return this.#secretKey
  }
}

/** What a session is told of the connect that made it. */
interface Origin {
  readonly timeline: Timeline
  readonly attempts: readonly FailedAttempt[]
  readonly identity: SessionIdentity
  readonly clock: Clock
  /** The signal under which the connection has been used so far, and how to abort it. */
  readonly life: AbortController
  readonly cancel: (options: WaitOptions) => Promise<void>
  readonly firstQuery: FirstQuery | null
}

/** A query that waits or runs. */
interface Job {
  readonly text: string
  readonly signal: AbortSignal | undefined
  /** null: without a limit. */
  readonly deadline: Deadline | null
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
  /** What the connection is encrypted with; null if it is not. */
  readonly tls: Pick<TlsFacts, 'version' | 'cipher' | 'alpnProtocol'> | null
  /** For a cancel request. null behind poolers that send none: such a session cannot cancel. */
  readonly backendKeyData: BackendKey | null
  /** How the connect went, state by state. */
  readonly timeline: Timeline
  /** The attempts that failed before this one succeeded, in order: several hosts, and sslmode allow and prefer, may make some. */
  readonly attempts: readonly FailedAttempt[]

  /** The results of the query that was given to `connect`; null if none was. They settle as those of `query` do. */
  readonly firstResult: Promise<readonly QueryResult[]> | null

  readonly #wire: Wire
  readonly #identity: SessionIdentity
  readonly #clock: Clock
  readonly #cancel: Origin['cancel']
  /** Every transition takes its signal. Its reason is never shown. */
  readonly #life: AbortController
  readonly #parameters: Map<string, string>
  readonly #notices: ServerReport[]
  /** The format of each column of the rows that are being read. */
  #formats: readonly number[] = []
  #state: SessionState
  /** The first is the one that runs, unless the session is idle. */
  readonly #jobs: Job[] = []
  /** What the connection broke with, if it did. */
  #cause: TransportError | undefined
  /** Why it has ended, made for whoever asks: an orderly end is nobody's error. */
  #ended: (() => SessionError) | null = null
  /** Settles when it has ended, once somebody wants it closed. */
  #closing: Promise<void> | null = null
  #onEnd = () => {}

  /** Made by connect(), which hands over the wire and all that the server said. */
  constructor(wire: Wire, ready: StateOf<'Ready'>, origin: Origin) {
    const { timeline, attempts, identity, clock, life, cancel, firstQuery } = origin
    const { greeting } = ready
    this.#wire = wire
    this.#identity = identity
    this.#clock = clock
    this.#life = life
    this.#cancel = cancel
    this.#state = { name: 'Idle', transactionStatus: ready.transactionStatus }
    this.#parameters = new Map(ready.parameters)
    this.#notices = [...greeting.notices]
    this.authenticationMethod = ready.authenticationMethod
    this.protocolVersion = greeting.protocolVersion
    this.tls = describeTls(greeting.tls)
    this.backendKeyData = ready.backendKeyData && new BackendKey(ready.backendKeyData)
    this.timeline = timeline
    this.attempts = attempts
    wire.enterSession()
    const isSent = greeting.earlyQuery !== null && ready.authenticationMethod === 'scram-sha-256'
    if (isSent) this.#state = { name: 'AwaitingResponse', hasBegun: false }
    this.firstResult = firstQuery && this.#ask(firstQuery.text, firstQuery)
    // It may be asked for later, or never.
    this.firstResult?.catch(() => {})
    wire.onChange(() => this.#read())
    this.#read()
  }

  /** What the server last reported in ParameterStatus. Live: it changes as the server reports changes. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters
  }

  /** Notices that came while connecting or between queries, the latest 1,000. */
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
   * Rejects with SessionError, and with TypeError for arguments of the wrong kind. If the server refused
   * (`error.sqlstate`), the session goes on. If the caller aborts or the time is up while the query runs, the session
   * ends with it, since nobody can know what the server would have answered; a query that had not begun is taken
   * out of the line and nothing else happens.
   *
   * @example
   * const [result] = await session.query('select 40 + 2 as answer', { timeoutMs: 500 })
   * result?.objects() // [{ answer: '42' }]
   */
  query(text: string, options: WaitOptions = {}): Promise<readonly QueryResult[]> {
    try {
      checkOptions(options)
      const problem = findTextMisuse(text)
      if (problem !== null) throw new TypeError(`query: ${problem}`)
      if (this.#ended !== null) throw this.#bystander(this.#ended())
      if (this.#closing !== null) throw this.#closed()
      return this.#ask(text, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #ask(text: string, options: WaitOptions): Promise<readonly QueryResult[]> {
    if (!isQueryHooked()) return this.#enqueue(text, options)
    const { timeoutMs = Number.POSITIVE_INFINITY } = options
    return hookQuery(this.#identity, text, timeoutMs, () => this.#enqueue(text, options))
  }

  #enqueue(text: string, { timeoutMs, signal }: WaitOptions): Promise<readonly QueryResult[]> {
    return new Promise((resolve, reject) => {
      // Whoever was told of the query on a channel may have ended the session since it was asked for.
      if (this.#ended !== null) throw this.#bystander(this.#ended())
      const isLimited = timeoutMs !== undefined || signal !== undefined
      const deadline = isLimited ? new Deadline({ timeoutMs, signal, clock: this.#clock }) : null
      const job: Job = { text, signal, deadline, collector: new ResultCollector(), resolve, reject, error: null }
      this.#jobs.push(job)
      if (deadline !== null) {
        deadline.onEnd(() => this.#abort(job, deadline))
      }
      if (this.#jobs[0] === job) this.#begin(job)
    })
  }

  /**
   * Ask the server to cancel the query that runs (#PROTOCOL-FLOW-CANCELING-REQUESTS): on a connection of its own, to the same
   * address, in the same TLS. Settles once the server has read the request. What comes of it the query tells: it fails
   * with SQLSTATE 57014, or it was done already. The session goes on.
   *
   * Rejects with HandshakeError; after 5 seconds unless told otherwise. With `backendKeyData` null it cannot be done.
   *
   * @example
   * const asleep = session.query('select pg_sleep(60)')
   * await session.cancel({ timeoutMs: 500 })
   * await asleep // rejects: error.sqlstate is '57014'
   */
  cancel(options: WaitOptions = {}): Promise<void> {
    return this.#cancel(options)
  }

  /**
   * Close the session: wait for the queries that were asked for, say Terminate, wait for the server to close
   * the connection. At its deadline (5 seconds unless told otherwise), or when its signal is aborted, the socket is
   * destroyed instead. It may be called again, with another deadline: the earliest one counts. It rejects for options
   * of the wrong kind only, with TypeError.
   */
  async close(options: WaitOptions = {}): Promise<void> {
    checkOptions(options)
    const { timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS, signal } = options
    // Set before anything happens: what ends from now on was closed.
    this.#closing ??= new Promise((resolve) => {
      this.#onEnd = resolve
    })
    const deadline = new Deadline({ timeoutMs, signal, clock: this.#clock })
    try {
      deadline.onEnd(() => {
        const error = this.#closed()
        this.#end(() => error)
      })
      if (this.#ended === null) this.#terminateWhenIdle()
      else this.#onEnd()
      await this.#closing
    } finally {
      deadline[Symbol.dispose]()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #terminateWhenIdle(): void {
    if (this.#state.name === 'Idle' && this.#jobs.length === 0) this.#apply({ type: 'SendTerminate' })
  }

  /** Read what is here. */
  #read(): void {
    while (this.#ended === null) {
      try {
        const event = this.#poll()
        if (event === null) return
        this.#apply(event)
      } catch (error) {
        if (error instanceof Fault) this.#fail(error.failure)
        else this.#endByDefect(error)
      }
    }
  }

  /** The next event that is here: that the connection broke is one, too. */
  #poll(): SessionEvent | null {
    try {
      const frame = this.#wire.poll()
      return frame === null || 'type' in frame ? frame : this.#decode(frame)
    } catch (error) {
      if (!(error instanceof TransportError)) throw error
      this.#cause = error
      return { type: 'TransportLost', code: error.code, detail: error.message }
    }
  }

  /** Take one step, and do what it asks for. */
  #apply(event: SessionEvent): void {
    const { state, effects } = session.receive(this.#state, event, this.#life.signal)
    const before = this.#state.name
    this.#state = state
    for (const effect of effects) this.#perform(effect, before)
    if (state.name === 'Failed') {
      const error = new SessionError(before, state.failure, this.#cause && { cause: this.#cause })
      this.#end(() => error)
    } else if (state.name === 'Closed') this.#end(() => this.#closed())
  }

  #perform(effect: SessionEffect, phase: SessionStateName): void {
    const collector = this.#jobs[0]?.collector
    switch (effect.do) {
      case 'send':
        // Whoever listens meets a broken transport first, and with it what the server still had to say.
        try {
          this.#wire.send([effect.message], this.#life.signal)
        } catch (error) {
          this.#endByDefect(error)
        }
        return
      case 'describe':
        this.#formats = effect.columns.map(({ format }) => format)
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
        if (job !== undefined) job.error ??= new SessionError(phase, effect.failure, job.collector)
        return
      }
      case 'reportNotice':
        if (collector !== undefined) collector.addNotice(effect.report)
        else keepLatest(this.#notices, effect.report)
        return
      case 'setParameter':
        this.#parameters.set(effect.name, effect.value)
        if (this.#parameters.size > LIMITS.parametersMax) {
          const received = this.#parameters.size
          this.#fail({ kind: 'limit', what: 'parameters', limit: LIMITS.parametersMax, received })
        }
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
      job.deadline?.[Symbol.dispose]()
      if (job.error === null) job.resolve(job.collector.results)
      else job.reject(job.error)
    }
    const [next] = this.#jobs
    if (next !== undefined) this.#begin(next)
    else if (this.#closing !== null) this.#terminateWhenIdle()
  }

  #abort(job: Job, deadline: Deadline): void {
    const failure: Failure = deadline.expired
      ? { kind: 'deadline', timeoutMs: deadline.timeoutMs }
      : { kind: 'aborted' }
    const error = this.#failed(failure, { cause: deadline.signal.reason })
    const ran = this.#jobs[0] === job && this.#state.name !== 'Idle'
    this.#jobs.splice(this.#jobs.indexOf(job), 1)
    deadline[Symbol.dispose]()
    job.reject(error)
    if (ran) this.#end(() => error)
  }

  /** The end, whatever led to it. Everybody who waits is told, and nothing is left behind. */
  #end(error: () => SessionError): void {
    if (this.#ended !== null) return
    this.#ended = error
    // Once the server has closed the connection in order, nobody waits for it any more.
    if (this.#state.name !== 'Closed') this.#life.abort('the session has ended')
    this.#wire.destroy()
    if (this.#state.name !== 'Failed' && this.#state.name !== 'Closed') {
      const phase = this.#state.name
      this.#state = this.#closing === null ? { name: 'Failed', phase, failure: error().failure } : { name: 'Closed' }
    }
    for (const job of this.#jobs.splice(0)) {
      job.deadline?.[Symbol.dispose]()
      job.reject(job.error ?? this.#endOf(job, error()))
    }
    this.#onEnd()
  }

  /** A defect of ours: nobody is left waiting, and whoever waits can see what it was. */
  #endByDefect(defect: unknown): void {
    this.#fail({ kind: 'lost', code: 'EDEFECT', detail: 'a defect of pg-deadline' }, { cause: defect })
  }

  #fail(failure: Failure, options?: ErrorOptions): void {
    const error = this.#failed(failure, options)
    this.#end(() => error)
  }

  /** An abort that was meant for several queries is that of each. */
  #endOf({ signal }: Job, end: SessionError): SessionError {
    if (!signal?.aborted) return this.#bystander(end)
    return new SessionError(end.phase, { kind: 'aborted' }, { cause: signal.reason })
  }

  /** For queries that the end of the session meets: an abort or a deadline that was another's is not theirs. */
  #bystander(end: SessionError): SessionError {
    if (end.failure.kind !== 'aborted' && end.failure.kind !== 'deadline') return end
    const detail = 'the session ended when another query was aborted or out of time'
    return new SessionError(end.phase, { kind: 'lost', code: 'ECLOSED', detail }, { cause: end })
  }

  #decode({ tag, body }: Frame): SessionEvent {
    if (tag === 'D') return { type: 'DataRow', values: decodeDataRow(body, this.#formats) }
    return decodeBackend(tag, body) as Exclude<ReturnType<typeof decodeBackend>, { type: 'DataRow' }>
  }

  #failed(failure: Failure, options?: ErrorOptions): SessionError {
    return new SessionError(this.#state.name, failure, options)
  }

  #closed(): SessionError {
    return this.#failed({ kind: 'lost', code: 'ECLOSED', detail: 'the session was closed by close()' })
  }
}

function describeTls(tls: TlsFacts | null): Session['tls'] {
  return tls && { version: tls.version, cipher: tls.cipher, alpnProtocol: tls.alpnProtocol }
}

function checkOptions(options: unknown): void {
  const misuse = findMisuse(options)
  if (misuse !== null) throw new TypeError(`${misuse.parameter}: ${misuse.problem}`)
}

/**
 * A connection in memory: pieces, delays, back-pressure, an end in order or a break. TLS is a phase of it and encrypts
 * nothing. It implements the same interface as a socket does.
 */

import { type Remote, type TlsOptions, type Transport, TransportError } from '../../net/transport.ts'
import { Changes, until } from '../../net/until.ts'
import { Fault } from '../../protocol/failure.ts'
import type { TlsFacts } from '../../state/handshake/states.ts'
import type { ModelServer } from './model-server.ts'
import type { Observer } from './observer.ts'
import type { AddressPlan } from './plan.ts'
import type { Random } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'

/** What a connection is a part of. */
export interface Surroundings {
  readonly clock: SimulatedClock
  readonly random: Random
  readonly observer: Observer
  readonly mayShowPassword: boolean
  /** What no client may show to anybody who can listen. */
  readonly secrets: readonly (string | Buffer)[]
}

export class SimulatedConnection implements Transport {
  readonly remote: Remote
  readonly server: ModelServer
  readonly #around: Surroundings
  readonly #plan: AddressPlan
  readonly #inbox: Buffer[] = []
  readonly #changes = new Changes()
  #listener = () => {}
  #end: TransportError | 'FIN' | null = null
  #isDestroyed = false
  #isSecured = false
  /** The handshake of TLS is under way: what was sent outside it breaks it. */
  #isSecuring = false
  /** What the network may still keep anybody waiting. */
  #patienceMs: number
  /** Nothing arrives before what was sent before it. */
  #arrivesMs = 0
  #reachesMs = 0
  #sentBytes = 0
  /** Writes that have not arrived. */
  #underWay = 0
  /** A fault of the plan has cut the line: what the server sends goes nowhere. */
  #isCut = false

  constructor(
    remote: Remote,
    plan: AddressPlan,
    makeServer: (line: SimulatedConnection) => ModelServer,
    around: Surroundings,
  ) {
    this.remote = remote
    this.#plan = plan
    this.#around = around
    this.#patienceMs = plan.network.patienceMs
    this.server = makeServer(this)
    this.#cutWhereDue()
  }

  // The client's end.

  take(): Buffer | 'nothing yet' | 'end' {
    const chunk = this.#inbox.shift()
    if (chunk !== undefined) {
      this.#around.observer.heard(chunk)
      return chunk
    }
    if (this.#end === 'FIN') return 'end'
    if (this.#end !== null) throw this.#end
    return 'nothing yet'
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  /** Under back-pressure: as long as what was written has not arrived. */
  isFull(): boolean {
    return this.#plan.network.backPressure && this.#underWay > 0 && this.#end === null
  }

  write(bytes: Buffer): void {
    const { clock, observer, secrets, mayShowPassword } = this.#around
    if (this.#isDestroyed) observer.violations.push('something was written after the end')
    observer.wrote(bytes, this.#isSecured, this)
    const isSanctioned = this.#isSecured || (observer.authenticationCode === 3 && mayShowPassword)
    if (!isSanctioned && secrets.some((secret) => bytes.includes(secret))) {
      observer.violations.push('a secret left in the clear')
    }
    this.#underWay += 1
    this.#reachesMs = Math.max(this.#reachesMs, clock.now() + this.#wait())
    clock.later(this.#reachesMs - clock.now(), () => {
      this.#underWay -= 1
      if (this.#end === null) this.server.receive(Buffer.from(bytes))
      this.#tell()
    })
  }

  async startTls(options: TlsOptions, signal: AbortSignal): Promise<TlsFacts> {
    signal.throwIfAborted()
    if (this.#inbox.length > 0) {
      throw new Fault({ kind: 'misbehaved', expected: ['nothing before TLS'], received: 'bytes in plaintext' })
    }
    this.#isSecuring = true
    this.#around.observer.enter('SecuringTransport')
    let outcome = 'pending' as ReturnType<ModelServer['secure']> | 'pending'
    // Not before what the server has sent already.
    const { clock } = this.#around
    const waitMs = Math.max(this.#wait(), this.#arrivesMs - clock.now())
    clock.later(waitMs, () => {
      outcome = this.server.secure(options)
      this.#tell()
    })
    for (;;) {
      signal.throwIfAborted()
      if (this.#end === 'FIN') throw new TransportError('ECONNRESET', 'the connection ended before TLS was established')
      if (this.#end !== null) throw this.#end
      if (outcome === 'breaks') throw new TransportError('EPROTO', 'TLS alert: handshake failure')
      if (outcome !== 'pending' && outcome !== 'hangs' && !this.#isCut) {
        this.#isSecured = true
        this.#isSecuring = false
        this.#around.observer.enter('Connected')
        return outcome
      }
      await until<null>(signal, (resolve) => {
        void this.#changes.next().then(resolve)
        return () => {}
      })
    }
  }

  /** What TLS keeps to itself was not bounded before. */
  enterSession(): void {}

  destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    this.#end ??= new TransportError('ECLOSED', 'the connection was closed on our side')
    this.#tell()
  }

  // The server's end.

  get isSecured(): boolean {
    return this.#isSecured
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed
  }

  get plan(): AddressPlan {
    return this.#plan
  }

  get fault(): AddressPlan['fault'] {
    return this.#plan.fault
  }

  /** How many bytes the server has sent, wherever they went. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  send(bytes: Buffer): void {
    const { fault, network } = this.#plan
    let rest = bytes
    while (rest.length > 0 && !this.#isCut) {
      const dripping = fault?.kind === 'drip' && this.#sentBytes >= fault.at
      const isLine =
        fault?.kind === 'fin' || fault?.kind === 'rst' || fault?.kind === 'silence' || fault?.kind === 'drip'
      const untilFault = isLine && fault.at > this.#sentBytes ? fault.at - this.#sentBytes : rest.length
      const longest = dripping ? 1 : this.#around.random.whole(1, network.pieceBytesMax)
      const piece = Buffer.from(rest.subarray(0, Math.min(longest, untilFault)))
      rest = rest.subarray(piece.length)
      if (fault?.kind === 'flip' && fault.at >= this.#sentBytes && fault.at < this.#sentBytes + piece.length) {
        const index = fault.at - this.#sentBytes
        piece[index] = (piece[index] as number) ^ (1 << fault.bit)
      }
      this.#sentBytes += piece.length
      this.#deliver(dripping ? fault.everyMs : this.#wait(), () => {
        if (this.#isSecuring) this.#finish(new TransportError('EPROTO', 'what came is not TLS'))
        else this.#inbox.push(piece)
      })
      this.#cutWhereDue()
    }
  }

  /** The server closes its side. */
  fin(): void {
    if (!this.#isCut) this.#deliver(this.#wait(), () => this.#finish('FIN'))
    this.#isCut = true
  }

  #cutWhereDue(): void {
    const { fault } = this.#plan
    if (fault === null || this.#isCut || !('at' in fault) || fault.at !== this.#sentBytes) return
    if (fault.kind === 'fin') this.#deliver(this.#wait(), () => this.#finish('FIN'))
    else if (fault.kind === 'rst') {
      this.#deliver(this.#wait(), () => this.#finish(new TransportError('ECONNRESET', 'read ECONNRESET')))
    } else if (fault.kind !== 'silence') return
    this.#isCut = true
  }

  #finish(end: TransportError | 'FIN'): void {
    this.#end ??= end
  }

  #deliver(waitMs: number, arrive: () => void): void {
    const { clock } = this.#around
    this.#arrivesMs = Math.max(this.#arrivesMs, clock.now()) + waitMs
    clock.later(this.#arrivesMs - clock.now(), () => {
      if (this.#isDestroyed) return
      arrive()
      this.#tell()
    })
  }

  #tell(): void {
    this.#changes.tell()
    this.#listener()
  }

  #wait(): number {
    const waitMs = this.#around.random.whole(0, Math.floor(this.#patienceMs / 4))
    this.#patienceMs -= waitMs
    return waitMs
  }
}

/**
 * Somebody who looks at both ends of the wire and says where the handshake is. It reads bytes by itself and shares nothing
 * with the machine but the names of the states, so that an error's phase can be held against it.
 */
import type { StateName } from '../../state/handshake/table.ts'

const SSL_REQUEST = 80_877_103

/** What an 'R' leaves a client waiting for. */
const BEHIND_REQUEST: Readonly<Record<number, StateName>> = {
  0: 'AwaitingReady',
  3: 'AwaitingPassword',
  5: 'AwaitingPassword',
  11: 'AwaitingSaslPassword',
  12: 'AwaitingVerdict',
}

export class Observer {
  phase: StateName = 'Disconnected'
  /** What it has been since the last moment at which time passed: events of one moment have no order that a clock knows. */
  phasesNow: StateName[] = ['Disconnected']
  /** What has gone wrong that no client may do, as sentences. */
  readonly violations: string[] = []
  /** Of the attempt that is under way. */
  startups = 0
  proofs = 0
  authenticationCode = -1
  readonly #now: () => number
  #atMs = 0
  #pending: Buffer = Buffer.alloc(0)
  #clientNonce = ''
  #nonceIsOurs = false
  /** Before the server has asked. */
  #hasBegunSasl = false

  constructor(now: () => number) {
    this.#now = now
  }

  enter(phase: StateName): void {
    if (this.#now() !== this.#atMs) this.phasesNow = [this.phase]
    this.#atMs = this.#now()
    this.phasesNow.push(phase)
    this.phase = phase
  }

  /** The phases that a failure of this moment may name. */
  phases(): readonly StateName[] {
    return this.#now() === this.#atMs ? this.phasesNow : [this.phase]
  }

  /** A connection has been opened: nothing is carried over from another one. */
  opened(): void {
    this.startups = 0
    this.proofs = 0
    this.authenticationCode = -1
    this.#pending = Buffer.alloc(0)
    this.#nonceIsOurs = false
    this.enter('Connected')
  }

  /** Bytes that have reached the client. */
  heard(bytes: Buffer): void {
    if (this.phase === 'AwaitingTlsReply') {
      this.enter(bytes[0] === 0x53 ? 'SecuringTransport' : 'Connected')
      return
    }
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    while (this.#pending.length >= 5) {
      const end = this.#pending.readInt32BE(1) + 1
      if (end < 5 || this.#pending.length < end) return
      this.#heardMessage(String.fromCharCode(this.#pending[0] as number), this.#pending.subarray(5, end))
      this.#pending = this.#pending.subarray(end)
    }
  }

  #heardMessage(tag: string, body: Buffer): void {
    if (tag === 'Z') this.enter('CheckingSession')
    if (tag !== 'R' || body.length < 4) return
    this.authenticationCode = body.readInt32BE(0)
    if (this.authenticationCode === 11) this.#nonceIsOurs = body.includes(`r=${this.#clientNonce}`)
    const isOffer = this.authenticationCode === 10 && this.#hasBegunSasl
    const next = isOffer ? 'AwaitingSaslChallenge' : BEHIND_REQUEST[this.authenticationCode]
    if (next !== undefined) this.enter(next)
  }

  /** Bytes that the client hands to the network. Returns the phase that it waits in from now on. */
  wrote(bytes: Buffer, isSecured: boolean, mayShowPassword: boolean): void {
    if (this.startups === 0) {
      const isRequest = bytes.readInt32BE(4) === SSL_REQUEST
      if (!isRequest) this.startups += 1
      // SCRAM's first message may be in the same flight.
      const behind = bytes.subarray(bytes.readInt32BE(0))
      this.#hasBegunSasl = !isRequest && behind.length > 0
      if (this.#hasBegunSasl) this.#noteNonce(behind)
      this.enter(isRequest ? 'AwaitingTlsReply' : this.#hasBegunSasl ? 'AwaitingSaslOffer' : 'AwaitingAuthentication')
      return
    }
    const tag = String.fromCharCode(bytes[0] as number)
    const body = bytes.subarray(5)
    if (tag === 'Q') this.enter('AwaitingSessionCheck')
    else if (tag === 'p') this.#wroteAnswer(body, isSecured, mayShowPassword)
    else if (tag !== 'X') this.violations.push(`the client sent a message '${tag}'`)
  }

  #noteNonce(bytes: Buffer): void {
    this.#clientNonce = bytes.toString('latin1').split('r=')[1] ?? ''
  }

  #wroteAnswer(body: Buffer, isSecured: boolean, mayShowPassword: boolean): void {
    const { authenticationCode: asked } = this
    if (asked === 10) {
      this.#noteNonce(body)
      this.enter('AwaitingSaslChallenge')
      return
    }
    this.proofs += 1
    if (this.proofs > 1) this.violations.push('a second proof left on one connection')
    if (asked === 11) {
      if (!this.#nonceIsOurs) this.violations.push('a proof left for a nonce that is not ours')
      this.enter('AwaitingSaslOutcome')
      return
    }
    if (asked !== 3 && asked !== 5) this.violations.push('a password left that nobody had asked for')
    if (asked === 3 && !isSecured && !mayShowPassword) this.violations.push('the password left in the clear')
    this.enter('AwaitingVerdict')
  }
}

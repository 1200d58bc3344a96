/**
 * Somebody who looks at both ends of the wire and says where the handshake is. It reads bytes by itself and shares nothing
 * with the machine but the names of the states, so that an error's phase can be held against it.
 */
import type { StateName } from '../../state/handshake/table.ts'
import { FIRST_QUERY } from './model-server.ts'
import type { ClientPlan } from './plan.ts'

const SSL_REQUEST = 80_877_103
const CANCEL_REQUEST = 80_877_102

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
  /** Whether each cancel request left in TLS. */
  readonly cancelsSecured: boolean[] = []
  readonly #now: () => number
  readonly #client: ClientPlan
  /** The one connection of this attempt that was written to. */
  #line: unknown = null
  #isReady = false
  /** Over all attempts: whether the first query has left, and whether whom it went to has refused since. */
  #hasAsked = false
  #wasRefused = false
  #atMs = 0
  #pending: Buffer = Buffer.alloc(0)
  #clientNonce = ''
  #nonceIsOurs = false
  /** Before the server has asked. */
  #hasBegunSasl = false

  constructor(now: () => number, client: ClientPlan) {
    this.#now = now
    this.#client = client
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

  /** An attempt is made: nothing is carried over from another one. */
  dialing(): void {
    this.#line = null
    this.enter('Dialing')
  }

  /** Its connection has been opened. */
  opened(): void {
    this.startups = 0
    this.proofs = 0
    this.authenticationCode = -1
    this.#pending = Buffer.alloc(0)
    this.#nonceIsOurs = false
    this.#isReady = false
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
    if (tag === 'Z') {
      this.#isReady = true
      this.enter('CheckingSession')
    }
    if (tag === 'E') this.#wasRefused = true
    if (tag !== 'R' || body.length < 4) return
    this.authenticationCode = body.readInt32BE(0)
    if (this.authenticationCode === 11) this.#nonceIsOurs = body.includes(`r=${this.#clientNonce}`)
    const isOffer = this.authenticationCode === 10 && this.#hasBegunSasl
    const next = isOffer ? 'AwaitingSaslChallenge' : BEHIND_REQUEST[this.authenticationCode]
    if (next !== undefined) this.enter(next)
  }

  /** Bytes that the client hands to the network, over this line. */
  wrote(bytes: Buffer, isSecured: boolean, line: unknown): void {
    this.#line ??= line
    if (this.#line !== line) this.violations.push('two connections of one attempt were written to')
    let rest = this.startups === 0 ? this.#wroteFirst(bytes, isSecured) : bytes
    while (rest.length > 0) {
      const end = rest.length < 5 ? 0 : rest.readInt32BE(1) + 1
      if (end < 5 || end > rest.length) {
        this.violations.push('the client sent what is no message')
        return
      }
      this.#wroteMessage(String.fromCharCode(rest[0] as number), rest.subarray(5, end), isSecured)
      rest = rest.subarray(end)
    }
  }

  /** The packets that have no tag. Returns what stands behind in the same flight. */
  #wroteFirst(bytes: Buffer, isSecured: boolean): Buffer {
    const code = bytes.readInt32BE(4)
    const behind = bytes.subarray(bytes.readInt32BE(0))
    if (code === SSL_REQUEST) {
      this.enter('AwaitingTlsReply')
      return behind
    }
    this.startups += 1
    this.#hasBegunSasl = false
    if (code === CANCEL_REQUEST) {
      this.cancelsSecured.push(isSecured)
      this.enter('AwaitingCancelClose')
      return behind
    }
    // SCRAM's first message may be in the same flight.
    this.#hasBegunSasl = behind.length > 0
    if (!this.#hasBegunSasl) this.enter('AwaitingAuthentication')
    return behind
  }

  #wroteMessage(tag: string, body: Buffer, isSecured: boolean): void {
    if (tag === 'Q') this.#wroteQuery(body.toString('utf8', 0, body.length - 1), isSecured)
    else if (tag === 'p') this.#wroteAnswer(body, isSecured)
    else if (tag !== 'X' && !(tag === 'f' && this.#isReady)) this.violations.push(`the client sent a message '${tag}'`)
  }

  #wroteQuery(query: string, isSecured: boolean): void {
    if (query !== FIRST_QUERY) {
      this.enter('AwaitingSessionCheck')
      return
    }
    const { firstQuery, sslmode } = this.#client
    // A server that refuses has not read so far; whoever does not may have run it.
    if (this.#hasAsked && !this.#wasRefused) this.violations.push('the first query left twice')
    this.#hasAsked = true
    this.#wasRefused = false
    if (this.#isReady) return
    const isVerified = isSecured && sslmode === 'verify-full'
    if (!isVerified && firstQuery?.allowUnverified !== true) {
      this.violations.push('the first query left for a server that had proved nothing')
    }
    // It stands behind our proof, and nowhere else.
    if (this.authenticationCode !== 11 || this.proofs !== 1) this.violations.push('the first query left too early')
  }

  #wroteAnswer(body: Buffer, isSecured: boolean): void {
    const { authenticationCode: asked } = this
    const { channelBinding, allowCleartextPassword } = this.#client
    if (asked === 10 || (this.#hasBegunSasl && asked === -1)) {
      const isBound = body.toString('latin1', 0, body.indexOf(0)) === 'SCRAM-SHA-256-PLUS'
      if (channelBinding === 'require' && !isBound) this.violations.push('SCRAM began unbound, and was to be bound')
      if (channelBinding === 'disable' && isBound) this.violations.push('SCRAM began bound, and was not to be')
      this.#clientNonce = body.toString('latin1').split('r=')[1] ?? ''
      this.enter(asked === 10 ? 'AwaitingSaslChallenge' : 'AwaitingSaslOffer')
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
    if (asked === 3 && !isSecured && !allowCleartextPassword) this.violations.push('the password left in the clear')
    if (channelBinding === 'require') this.violations.push('a password left where SCRAM was to be bound')
    this.enter('AwaitingVerdict')
  }
}

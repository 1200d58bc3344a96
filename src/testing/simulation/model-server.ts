/**
 * A lawful server of any profile, which reads what the client sends and judges it, and does one thing wrong if its plan says
 * so. Its messages are made by the codec's layouts; its SCRAM is the tests' own.
 */
import { createHash } from 'node:crypto'
import type { TlsOptions } from '../../net/transport.ts'
import type { BackendMessage } from '../../protocol/backend.ts'
import { decodeFrontend, type FrontendMessage, type PasswordKind } from '../../protocol/frontend.ts'
import { decodeStartup, type StartupPacket } from '../../protocol/startup.ts'
import type { TlsFacts } from '../../state/handshake/states.ts'
import { type CertificateSignature, certificateShape, endPointOf } from '../certificate-shape.ts'
import { encodeBackend } from '../encode-backend.ts'
import { ScramServer } from '../scram-server.ts'
import type { ServerPlan, SimulatedFault } from './plan.ts'
import type { Random } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'

export const USER = 'alice'
export const PASSWORD = 'correct-horse-battery-staple'
const MD5_SALT = Buffer.from([0x93, 0x1b, 0x5e, 0xa7])

/** A query that may be given to connect(), and its one value. */
export const FIRST_QUERY = "select 'first'"
export const FIRST_VALUE = 'first'
/** A query that ends when somebody cancels it, and not before. */
export const ENDLESS_QUERY = "select pg_sleep('infinity')"

const PLAIN = 'SCRAM-SHA-256'
const PLUS = 'SCRAM-SHA-256-PLUS'
/** Behind it, in client-final-message, stands the end point. */
const BOUND = 'p=tls-server-end-point,,'
const STRANGERS_CERTIFICATE = certificateShape('ecdsa-with-SHA256', Buffer.from('a stranger'))

type UnlikeScram = Exclude<ServerPlan['method'], 'scram-sha-256'>

/** How it asks for what its method needs; null: it asks for nothing. */
const REQUESTS: Readonly<Record<UnlikeScram, BackendMessage | null>> = {
  trust: null,
  password: { type: 'AuthenticationCleartextPassword' },
  md5: { type: 'AuthenticationMD5Password', salt: MD5_SALT },
}
const UNSUPPORTED: BackendMessage = { type: 'AuthenticationGSS' }

/** The backends of one server, as far as a cancel request can reach them. */
export class Backends {
  readonly #all: { readonly key: Buffer; readonly backend: ModelServer }[] = []
  /** A bit was turned over on the way, which may have been one of a key. */
  isSpoilt = false

  begin(processId: number, secretKey: Uint8Array, backend: ModelServer): void {
    this.#all.push({ key: keyOf(processId, secretKey), backend })
  }

  find(processId: number, secretKey: Uint8Array): ModelServer | undefined {
    const wanted = keyOf(processId, secretKey)
    return this.#all.find(({ key }) => key.equals(wanted))?.backend
  }
}

function keyOf(processId: number, secretKey: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(String(processId)), secretKey])
}

/** What a server speaks through. */
export interface ServerLine {
  readonly isSecured: boolean
  readonly isDestroyed: boolean
  readonly sentBytes: number
  send(bytes: Buffer): void
  fin(): void
}

/** Messages that are unlawful wherever the client is before it is ready. */
const INTRUDERS: readonly BackendMessage[] = [
  { type: 'EmptyQueryResponse' },
  { type: 'CopyDone' },
  { type: 'AuthenticationGSSContinue', data: Buffer.from('gss') },
  { type: 'CopyInResponse', format: 0, columnFormats: [] },
]

export class ModelServer {
  /** What the client has sent that no server could take, as sentences. */
  readonly violations: string[] = []
  /** Whether it has proved that it knows the password, in bytes that nobody has touched. */
  hasProved = false
  /** Whether SCRAM was bound to its own certificate. */
  hasBound = false
  /** How often it was asked what connect() was given. */
  firstQueries = 0
  /** The backend that a cancel request has named. */
  hasCancelled = false
  /** Where the signature stands in what it has sent, from the first byte on. */
  signatureBytes: readonly [from: number, to: number] | null = null
  /** Protocol 3.2 or 3.0, once it is settled. */
  #version: '3.0' | '3.2' = '3.0'
  readonly #plan: ServerPlan
  readonly #fault: SimulatedFault | null
  readonly #line: ServerLine
  readonly #random: Random
  readonly #clock: SimulatedClock
  readonly #scram: ScramServer
  readonly #backends: Backends
  #pending: Buffer = Buffer.alloc(0)
  #hasStarted = false
  /** The client has sent something behind its StartupMessage that nobody has asked for. */
  #isEarly = false
  /** What the client has said of channel binding, with what binds it. */
  #binding: Buffer = Buffer.alloc(0)
  #isAsleep = false
  #answerKind: PasswordKind = 'PasswordMessage'
  #messages = 0
  #notices: number
  #isOver = false

  constructor(
    plan: ServerPlan,
    fault: SimulatedFault | null,
    line: ServerLine,
    { random, clock, backends }: { random: Random; clock: SimulatedClock; backends: Backends },
  ) {
    this.#backends = backends
    this.#plan = plan
    this.#fault = fault
    this.#line = line
    this.#random = random
    this.#clock = clock
    this.#notices = plan.notices
    this.#scram = new ScramServer({
      password: fault?.kind === 'wrong signature' ? 'another password' : PASSWORD,
      serverFirst:
        fault?.kind === 'foreign nonce'
          ? ({ salt, iterations }) => `r=${'x'.repeat(24)}server,s=${salt},i=${iterations}`
          : undefined,
    })
  }

  receive(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes])
    while (!this.#isOver) {
      const headerBytes = this.#hasStarted ? 5 : 4
      if (this.#pending.length < headerBytes) return
      const end = this.#pending.readInt32BE(headerBytes - 4) + headerBytes - 4
      if (this.#pending.length < end) return
      const body = this.#pending.subarray(headerBytes, end)
      const tag = String.fromCharCode(this.#pending[0] as number)
      this.#pending = this.#pending.subarray(end)
      try {
        this.#answer(this.#hasStarted ? decodeFrontend(tag, body, this.#answerKind) : decodeStartup(body))
      } catch (error) {
        this.violations.push(`the client sent what no server reads: ${String(error)}`)
        this.#isOver = true
      }
    }
  }

  /** TLS: what comes of it, or that it breaks, or nothing. */
  secure(options: TlsOptions): TlsFacts | 'hangs' | 'breaks' {
    const kind = this.#fault?.kind
    if (this.#plan.tls === 'off' || kind === 'TLS breaks') return 'breaks'
    if (kind === 'TLS hangs') return 'hangs'
    return {
      version: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      alpnProtocol: kind === 'foreign ALPN' ? 'http/1.1' : 'postgresql',
      serverCertificate: isStranger(this.#fault) ? STRANGERS_CERTIFICATE : certificateOf(this.#plan),
      rejection:
        (kind === 'bad certificate' || isStranger(this.#fault)) && options.verify !== 'nothing'
          ? 'certificate of nobody that we know'
          : null,
    }
  }

  #answer(message: StartupPacket | FrontendMessage): void {
    switch (message.type) {
      case 'SSLRequest':
        this.#answerSslRequest()
        break
      case 'StartupMessage':
        this.#begin(message.protocolVersion)
        break
      case 'PasswordMessage':
        this.#judgePassword(message.password)
        break
      case 'CancelRequest':
        this.#cancel(message.processId, message.secretKey)
        break
      case 'SASLInitialResponse':
        this.#beginScram(message.mechanism, Buffer.from(message.data ?? []))
        break
      case 'SASLResponse':
        this.#judgeProof(message.data)
        break
      case 'Query':
        this.#answerQuery(message.query)
        break
      case 'CopyFail':
        // #PROTOCOL-COPY: ignored where no COPY runs, as after a CopyInResponse that an unlawful companion said.
        break
      case 'Terminate':
        this.#end()
        break
      default:
        this.violations.push(`the client sent ${message.type}`)
    }
  }

  #answerSslRequest(): void {
    const kind = this.#fault?.kind
    const hasTls = this.#plan.tls === 'on' && kind !== 'TLS refused'
    if (kind === 'TLS error') {
      this.#line.send(encodeBackend(fatal('0A000', 'unsupported frontend protocol 1234.5679')))
      this.#end()
      return
    }
    const behind = kind === 'bytes before TLS' ? 'R' : ''
    this.#line.send(Buffer.from(`${hasTls ? 'S' : 'N'}${behind}`))
  }

  #begin(requested: number): void {
    this.#hasStarted = true
    this.#isEarly = this.#pending.length > 0
    const { method, version, refusesEarlySasl } = this.#plan
    if (this.#isEarly && refusesEarlySasl) {
      this.#refuse('08P01', 'unexpected message')
      return
    }
    this.#version = requested === 0x0003_0002 && version === '3.2' ? '3.2' : '3.0'
    if (this.#version === '3.0' && requested === 0x0003_0002) {
      this.#say({ type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] })
    }
    if (method === 'scram-sha-256' && this.#fault?.kind !== 'unsupported method') {
      this.#answerKind = 'SASLInitialResponse'
      this.#say({ type: 'AuthenticationSASL', mechanisms: this.#offerAsShown() })
      return
    }
    const request = this.#fault?.kind === 'unsupported method' ? UNSUPPORTED : REQUESTS[method as UnlikeScram]
    if (request === null) this.#welcome()
    else this.#say(request)
    // What has come behind the StartupMessage is no answer to that, nor a message of a session.
    if (this.#isEarly) this.#refuse('08P01', 'invalid password packet size')
  }

  #offer(): string[] {
    return this.#line.isSecured && this.#plan.bindsChannel ? [PLUS, PLAIN] : [PLAIN]
  }

  #offerAsShown(): string[] {
    return this.#fault?.kind === 'another certificate and no offer to bind' ? [PLAIN] : this.#offer()
  }

  #beginScram(mechanism: string, clientFirst: Buffer): void {
    this.#answerKind = 'SASLResponse'
    const offer = this.#offer()
    if (!offer.includes(mechanism)) {
      if (!this.#isEarly) this.#note(`the client chose ${mechanism}, which was not offered`)
      this.#refuse('08P01', 'client selected an invalid SASL authentication mechanism')
      return
    }
    // RFC 5802 section 6: 'y' says that the client could bind and was offered no way; to a server that has offered one it
    // says that somebody has taken the offer out.
    const isCheated = clientFirst[0] === 0x79 && offer.includes(PLUS)
    if (isCheated) {
      if (!isStranger(this.#fault)) this.#note("the client said 'y' to a server that offers to bind")
      this.#refuse('28000', 'The client supports SCRAM channel binding but thinks the server does not')
      return
    }
    const isBound = mechanism === PLUS
    if (isBound !== clientFirst.toString('latin1').startsWith(BOUND)) {
      this.#note(`the client began ${mechanism} with ${clientFirst.toString('latin1', 0, 8)}`)
    }
    const { certificate } = this.#plan
    const endPoint = isBound ? endPointOf(certificate, certificateOf(this.#plan)) : null
    const header = isBound ? BOUND : `${String.fromCharCode(clientFirst[0] as number)},,`
    this.#binding = Buffer.concat([Buffer.from(header), endPoint ?? Buffer.alloc(0)])
    this.#say({ type: 'AuthenticationSASLContinue', data: this.#scram.first(clientFirst) })
  }

  #judgePassword(password: string): void {
    const wanted = this.#plan.method === 'password' ? PASSWORD : `md5${md5(md5(PASSWORD, USER), MD5_SALT)}`
    // A bit of the salt that was turned over on the way to the client makes another answer: nobody is let in.
    if (password !== wanted) this.#note('the client sent another password')
    if (password === wanted) this.#decide()
    else this.#refuse()
  }

  #judgeProof(clientFinal: Uint8Array): void {
    const [binding = ''] = Buffer.from(clientFinal).toString('latin1').split(',')
    if (binding !== `c=${this.#binding.toString('base64')}`) {
      if (!isStranger(this.#fault)) this.#note('the client is bound to another channel')
      this.#refuse('28000', 'SCRAM channel binding check failed')
      return
    }
    this.hasBound = this.#binding.length > BOUND.length
    const isDishonest = this.#fault?.kind === 'wrong signature'
    if (!isDishonest && !this.#scram.isProven(clientFinal)) {
      // A bit that was turned over on the way to the client spoils its proof: then it is right that nobody is let in.
      this.#note('the client sent a wrong proof')
      this.#refuse()
      return
    }
    if (this.#fault?.kind !== 'no signature' && this.#fault?.kind !== 'wrong password') {
      const data = this.#scram.final(clientFinal)
      this.#say({ type: 'AuthenticationSASLFinal', data })
      // Whatever came before it in the same breath is not of it.
      this.signatureBytes = [this.#line.sentBytes - data.length, this.#line.sentBytes]
      this.hasProved = !isDishonest
    }
    this.#decide()
  }

  #decide(): void {
    if (this.#fault?.kind === 'wrong password') this.#refuse()
    else this.#welcome()
  }

  #refuse(sqlstate = '28P01', text = 'password authentication failed for user "alice"'): void {
    this.#say(fatal(sqlstate, text))
    this.#end()
  }

  /** It hangs up, if it ever does. */
  #end(): void {
    this.#isOver = true
    if (this.#fault?.kind !== 'no goodbye') this.#line.fin()
  }

  /** A bit that was turned over on the way to the client may be why: then it has done nothing wrong. */
  #note(violation: string): void {
    if (this.#fault?.kind !== 'flip') this.violations.push(violation)
  }

  #cancel(processId: number, secretKey: Uint8Array): void {
    const backend = this.#backends.find(processId, secretKey)
    if (backend !== undefined) backend.#beCancelled()
    else if (!this.#backends.isSpoilt) this.violations.push('a cancel request for nobody')
    this.#end()
  }

  #beCancelled(): void {
    this.hasCancelled = true
    if (!this.#isAsleep) return
    this.#isAsleep = false
    this.#say(report('ERROR', '57014', 'canceling statement due to user request'))
    this.#say({ type: 'ReadyForQuery', status: 'I' })
  }

  #welcome(): void {
    const { parameters, sendsKey, reportsStandby, isStandby, isReadOnly } = this.#plan
    this.#say({ type: 'AuthenticationOk' })
    this.#say({ type: 'ParameterStatus', name: 'server_version', value: '18.4' })
    for (let index = 0; index < parameters; index += 1) {
      this.#say({ type: 'ParameterStatus', name: `pooler.parameter_${index}`, value: 'on' })
    }
    if (reportsStandby) {
      this.#say({ type: 'ParameterStatus', name: 'in_hot_standby', value: onOff(isStandby) })
      this.#say({ type: 'ParameterStatus', name: 'default_transaction_read_only', value: onOff(isReadOnly) })
    }
    if (sendsKey) {
      const secretKey = this.#random.bytes(this.#version === '3.0' ? 4 : 32)
      this.#backends.begin(4711, secretKey, this)
      this.#backends.isSpoilt ||= this.#fault?.kind === 'flip'
      this.#say({ type: 'BackendKeyData', processId: 4711, secretKey })
    }
    this.#say({ type: 'ReadyForQuery', status: 'I' })
  }

  #answerQuery(query: string): void {
    if (query === ENDLESS_QUERY) {
      this.#isAsleep = true
      return
    }
    if (query === FIRST_QUERY) this.firstQueries += 1
    const { isStandby, isReadOnly } = this.#plan
    const answers: Readonly<Record<string, readonly [name: string, typeOid: number, value: string]>> = {
      'SELECT pg_catalog.pg_is_in_recovery()': ['pg_is_in_recovery', 16, isStandby ? 't' : 'f'],
      'SHOW transaction_read_only': ['transaction_read_only', 25, onOff(isStandby || isReadOnly)],
      [FIRST_QUERY]: ['?column?', 25, FIRST_VALUE],
    }
    const answer = answers[query]
    if (answer === undefined) {
      this.violations.push(`the client asked ${query}`)
      return
    }
    const [name, typeOid, value] = answer
    const column = { name, tableOid: 0, attributeNumber: 0, typeOid, typeSize: typeOid === 16 ? 1 : -1 }
    this.#say({ type: 'RowDescription', columns: [{ ...column, typeModifier: -1, format: 0 }] })
    this.#say({ type: 'DataRow', values: [Buffer.from(value)] })
    this.#say({ type: 'CommandComplete', commandTag: 'SELECT 1' })
    this.#say({ type: 'ReadyForQuery', status: 'I' })
  }

  #say(message: BackendMessage): void {
    if (this.#isOver) return
    const fault = this.#fault !== null && 'at' in this.#fault && this.#fault.at === this.#messages ? this.#fault : null
    this.#messages += 1
    if (fault?.kind === 'refuse') {
      this.#line.send(encodeBackend(fatal('57P03', 'the database system is shutting down')))
      this.#end()
      return
    }
    if (fault?.kind === 'flood') {
      this.#isOver = true
      this.#flood(fault.everyMs)
      return
    }
    if (this.#notices > 0 && this.#random.chance(40)) {
      this.#notices -= 1
      this.#line.send(encodeBackend(NOTICE))
    }
    if (fault?.kind === 'inject') this.#line.send(encodeBackend(this.#random.pick(INTRUDERS)))
    if (fault?.kind === 'skip') return
    this.#line.send(encodeBackend(message))
    if (fault?.kind === 'repeat') this.#line.send(encodeBackend(message))
  }

  #flood(everyMs: number): void {
    if (this.#line.isDestroyed) return
    this.#line.send(encodeBackend(NOTICE))
    this.#clock.later(everyMs, () => this.#flood(everyMs))
  }
}

const NOTICE: BackendMessage = {
  type: 'NoticeResponse',
  fields: [
    { code: 'S', value: 'NOTICE' },
    { code: 'C', value: '00000' },
    { code: 'M', value: 'be patient' },
  ],
}

function fatal(sqlstate: string, text: string): BackendMessage {
  return report('FATAL', sqlstate, text)
}

function report(severity: string, sqlstate: string, text: string): BackendMessage {
  return {
    type: 'ErrorResponse',
    fields: [
      { code: 'S', value: severity },
      { code: 'V', value: severity },
      { code: 'C', value: sqlstate },
      { code: 'M', value: text },
    ],
  }
}

function isStranger(fault: SimulatedFault | null): boolean {
  return fault?.kind === 'another certificate' || fault?.kind === 'another certificate and no offer to bind'
}

/** Every server has one of its kind. */
const certificates = new Map<CertificateSignature, Buffer>()

function certificateOf({ certificate: signature }: ServerPlan): Buffer {
  let certificate = certificates.get(signature)
  if (certificate === undefined) {
    certificate = certificateShape(signature, Buffer.from('the server'))
    certificates.set(signature, certificate)
  }
  return certificate
}

function onOff(isOn: boolean): string {
  return isOn ? 'on' : 'off'
}

function md5(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

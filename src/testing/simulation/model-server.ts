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
import { encodeBackend } from '../encode-backend.ts'
import { ScramServer } from '../scram-server.ts'
import type { ServerPlan, SimulatedFault } from './plan.ts'
import type { Random } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'

export const USER = 'alice'
export const PASSWORD = 'correct-horse-battery-staple'
const MD5_SALT = Buffer.from([0x93, 0x1b, 0x5e, 0xa7])

/** How it asks for what its method needs; null: it asks for nothing. */
const REQUESTS: Readonly<Record<ServerPlan['method'], BackendMessage | null>> = {
  trust: null,
  password: { type: 'AuthenticationCleartextPassword' },
  md5: { type: 'AuthenticationMD5Password', salt: MD5_SALT },
  'scram-sha-256': { type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
}
const UNSUPPORTED: BackendMessage = { type: 'AuthenticationGSS' }

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
  #pending: Buffer = Buffer.alloc(0)
  #hasStarted = false
  #answerKind: PasswordKind = 'PasswordMessage'
  #messages = 0
  #notices: number
  #isOver = false

  constructor(plan: ServerPlan, fault: SimulatedFault | null, line: ServerLine, random: Random, clock: SimulatedClock) {
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
      serverCertificate: null,
      rejection:
        kind === 'bad certificate' && options.verify !== 'nothing' ? 'certificate of nobody that we know' : null,
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
      case 'SASLInitialResponse':
        this.#answerKind = 'SASLResponse'
        this.#say({
          type: 'AuthenticationSASLContinue',
          data: this.#scram.first(message.data ?? Buffer.alloc(0)),
        })
        break
      case 'SASLResponse':
        this.#judgeProof(message.data)
        break
      case 'Query':
        this.#answerQuery()
        break
      case 'Terminate':
        this.#isOver = true
        this.#line.fin()
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
      this.#line.fin()
      return
    }
    const behind = kind === 'bytes before TLS' ? 'R' : ''
    this.#line.send(Buffer.from(`${hasTls ? 'S' : 'N'}${behind}`))
  }

  #begin(requested: number): void {
    this.#hasStarted = true
    const { method, version } = this.#plan
    this.#version = requested === 0x0003_0002 && version === '3.2' ? '3.2' : '3.0'
    if (this.#version === '3.0' && requested === 0x0003_0002) {
      this.#say({ type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] })
    }
    const request = this.#fault?.kind === 'unsupported method' ? UNSUPPORTED : REQUESTS[method]
    if (method === 'scram-sha-256') this.#answerKind = 'SASLInitialResponse'
    if (request === null) this.#welcome()
    else this.#say(request)
  }

  #judgePassword(password: string): void {
    const wanted = this.#plan.method === 'password' ? PASSWORD : `md5${md5(md5(PASSWORD, USER), MD5_SALT)}`
    // A bit of the salt that was turned over on the way to the client makes another answer: nobody is let in.
    const isSpoilt = this.#fault?.kind === 'flip'
    if (password !== wanted && !isSpoilt) this.violations.push('the client sent another password')
    if (password === wanted) this.#decide()
    else this.#refuse()
  }

  #judgeProof(clientFinal: Uint8Array): void {
    const isDishonest = this.#fault?.kind === 'wrong signature'
    if (!isDishonest && !this.#scram.isProven(clientFinal)) {
      // A bit that was turned over on the way to the client spoils its proof: then it is right that nobody is let in.
      if (this.#fault?.kind !== 'flip') this.violations.push('the client sent a wrong proof')
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

  #refuse(): void {
    this.#say(fatal('28P01', 'password authentication failed for user "alice"'))
    this.#isOver = true
    this.#line.fin()
  }

  #welcome(): void {
    const { parameters, sendsKey, reportsStandby, isStandby } = this.#plan
    this.#say({ type: 'AuthenticationOk' })
    this.#say({ type: 'ParameterStatus', name: 'server_version', value: '18.4' })
    for (let index = 0; index < parameters; index += 1) {
      this.#say({ type: 'ParameterStatus', name: `pooler.parameter_${index}`, value: 'on' })
    }
    if (reportsStandby) {
      this.#say({ type: 'ParameterStatus', name: 'in_hot_standby', value: isStandby ? 'on' : 'off' })
    }
    if (sendsKey) {
      const secretKey = this.#random.bytes(this.#version === '3.0' ? 4 : 32)
      this.#say({ type: 'BackendKeyData', processId: 4711, secretKey })
    }
    this.#say({ type: 'ReadyForQuery', status: 'I' })
  }

  #answerQuery(): void {
    const column = { name: 'pg_is_in_recovery', tableOid: 0, attributeNumber: 0, typeOid: 16 }
    this.#say({ type: 'RowDescription', columns: [{ ...column, typeSize: 1, typeModifier: -1, format: 0 }] })
    this.#say({ type: 'DataRow', values: [Buffer.from(this.#plan.isStandby ? 't' : 'f')] })
    this.#say({ type: 'CommandComplete', commandTag: 'SELECT 1' })
    this.#say({ type: 'ReadyForQuery', status: 'I' })
  }

  #say(message: BackendMessage): void {
    if (this.#isOver) return
    const fault = this.#fault !== null && 'at' in this.#fault && this.#fault.at === this.#messages ? this.#fault : null
    this.#messages += 1
    if (fault?.kind === 'refuse') {
      this.#line.send(encodeBackend(fatal('57P03', 'the database system is shutting down')))
      this.#isOver = true
      this.#line.fin()
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
  return {
    type: 'ErrorResponse',
    fields: [
      { code: 'S', value: 'FATAL' },
      { code: 'V', value: 'FATAL' },
      { code: 'C', value: sqlstate },
      { code: 'M', value: text },
    ],
  }
}

function md5(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

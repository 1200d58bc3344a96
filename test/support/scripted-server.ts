/**
 * A server in memory that does what a test wants: lawful by default, silent from a chosen message on, or saying
 * anything at all. It speaks through the codec; its SCRAM is the tests' own, and shares no code with src/auth.
 */
import type { Deadline } from '../../src/net/deadline.ts'
import { type Transport, TransportError } from '../../src/net/transport.ts'
import { until } from '../../src/net/until.ts'
import * as authentication from '../../src/protocol/authentication.ts'
import * as backend from '../../src/protocol/backend.ts'
import { decodeFrontend, type FrontendMessage, type PasswordKind } from '../../src/protocol/frontend.ts'
import { encodeMessage, type MessageLayout } from '../../src/protocol/message.ts'
import { decodeStartup, type StartupPacket } from '../../src/protocol/startup.ts'
import type { TlsFacts } from '../../src/state/handshake/states.ts'
import { judge, makeVerifier, serverFirst } from '../auth/scram-server.ts'
import { takeFrom } from './transport.ts'

const LAYOUTS: ReadonlyMap<string, MessageLayout> = new Map(
  [...backend.BACKEND_MESSAGES, ...authentication.AUTHENTICATION_MESSAGES].map((layout) => [layout.name, layout]),
)

/** One message of a server as bytes. */
export function encodeBackend(message: backend.BackendMessage): Buffer {
  const layout = LAYOUTS.get(message.type)
  if (layout === undefined) throw new TypeError(`no message of a server is called ${message.type}`)
  return encodeMessage(layout, message)
}

/** The server's side of a connection in memory. */
export class ScriptedServer {
  readonly received: (StartupPacket | FrontendMessage)[] = []
  /** Requests without a tag may come before the StartupMessage. */
  get #started(): boolean {
    return this.received.some(({ type }) => type === 'StartupMessage')
  }

  /** Bytes of the client that are no whole message yet. */
  #pending = Buffer.alloc(0)
  #passwordKind: PasswordKind = 'PasswordMessage'
  readonly #chunks: Buffer[] = []
  #end: TransportError | 'FIN' | null = null
  #listener = () => {}
  /** What it says to a message, for servers that are built on it too. */
  readonly answer: (server: ScriptedServer, message: StartupPacket | FrontendMessage) => void
  #writeError: Error | null = null
  #secure = (signal: AbortSignal) => until<TlsFacts>(signal, () => () => {})
  destroyed = false
  dialed = 0

  constructor(answer: (server: ScriptedServer, message: StartupPacket | FrontendMessage) => void) {
    this.answer = answer
  }

  /** For Runtime. */
  readonly dial = async (_endpoint: unknown, { signal }: Deadline): Promise<Transport> => {
    signal.throwIfAborted()
    this.dialed += 1
    return {
      remote: { address: '192.0.2.1', port: 5432 },
      take: () => takeFrom(this.#chunks, this.#end),
      onChange: (listener) => {
        this.#listener = listener
      },
      isFull: () => false,
      write: (bytes) => {
        if (this.#writeError instanceof TransportError) {
          this.#end = this.#writeError
          this.#tell()
          return
        }
        if (this.#writeError !== null) throw this.#writeError
        this.#take(bytes)
      },
      enterSession: () => {},
      startTls: async (_options, tlsSignal) => {
        tlsSignal.throwIfAborted()
        return this.#secure(tlsSignal)
      },
      destroy: () => {
        this.destroyed = true
        this.#tell()
      },
    }
  }

  /** What a 'p' of the client means from now on. */
  expect(kind: PasswordKind): void {
    this.#passwordKind = kind
  }

  send(...messages: backend.BackendMessage[]): void {
    this.sendBytes(Buffer.concat(messages.map(encodeBackend)))
  }

  /** One segment as it arrives. */
  sendBytes(bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#tell()
  }

  /** FIN, or a broken connection. */
  end(code: 'FIN' | 'ECONNRESET' = 'FIN'): void {
    this.#end = code === 'FIN' ? 'FIN' : new TransportError(code, `read ${code}`)
    this.#tell()
  }

  /** What TLS comes to: facts, a failure, or (the default) never an end. Nothing is encrypted: it is a phase. */
  onTls(secure: (signal: AbortSignal) => Promise<TlsFacts>): this {
    this.#secure = secure
    return this
  }

  /** From now on, nothing that the client writes goes through. A broken connection is met by whoever reads, as that of a socket. */
  failWrites(error: Error): void {
    this.#writeError = error
  }

  get names(): string[] {
    return this.received.map(({ type }) => type)
  }

  #tell(): void {
    // As from a network: not while he who is told is still writing.
    queueMicrotask(this.#listener)
  }

  /** SCRAM may begin before the server has asked for it. */
  #kindOf(body: Buffer): PasswordKind {
    return body.toString('latin1', 0, 6) === 'SCRAM-' ? 'SASLInitialResponse' : this.#passwordKind
  }

  #take(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes])
    for (;;) {
      const started = this.#started
      const header = started ? 5 : 4
      if (this.#pending.length < header) return
      const end = this.#pending.readInt32BE(header - 4) + header - 4
      if (this.#pending.length < end) return
      const body = this.#pending.subarray(header, end)
      const message = started
        ? decodeFrontend(String.fromCharCode(this.#pending[0] as number), body, this.#kindOf(body))
        : decodeStartup(body)
      this.#pending = this.#pending.subarray(end)
      this.received.push(message)
      this.answer(this, message)
    }
  }
}

export type Method = 'trust' | 'password' | 'md5' | 'scram-sha-256'

export interface Profile {
  readonly method?: Method
  readonly password?: string
  /** What it answers to SSLRequest, byte by byte as given; empty: nothing. Default: 'N'. */
  readonly tlsReply?: string
  /** Fall silent instead of sending this message (and what would follow it). */
  readonly silentAt?: backend.BackendMessage['type']
  /** How a flight is cut into segments. */
  readonly segment?: (flight: Buffer) => Buffer[]
  /** Sent behind ReadyForQuery, in the same flight. */
  readonly behind?: readonly backend.BackendMessage[]
}

const SALT = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
const GREETING: readonly backend.BackendMessage[] = [
  { type: 'AuthenticationOk' },
  { type: 'ParameterStatus', name: 'server_version', value: '18.4' },
  { type: 'ParameterStatus', name: 'TimeZone', value: 'Europe/Zürich' },
  { type: 'BackendKeyData', processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) },
  { type: 'ReadyForQuery', status: 'I' },
]

const WRONG_PASSWORD: backend.BackendMessage = {
  type: 'ErrorResponse',
  fields: [
    { code: 'S', value: 'FATAL' },
    { code: 'C', value: '28P01' },
    { code: 'M', value: 'password authentication failed' },
  ],
}

/** A lawful server of this profile. */
export function lawful({
  method = 'scram-sha-256',
  password = 'secret',
  tlsReply = 'N',
  silentAt,
  segment = (flight) => [flight],
  behind = [],
}: Profile = {}): ScriptedServer {
  const greeting = [...GREETING, ...behind]
  const verifier = makeVerifier(password, SALT, 16)
  let clientFirst: Buffer = Buffer.alloc(0)
  let challenge: Buffer = Buffer.alloc(0)
  let silent = false

  return new ScriptedServer((server, message) => {
    switch (message.type) {
      case 'SSLRequest':
        return tlsReply === '' ? undefined : server.sendBytes(Buffer.from(tlsReply))
      case 'StartupMessage':
        return fly(server, ...askFor(method))
      case 'PasswordMessage':
        return fly(server, ...greeting)
      case 'SASLInitialResponse':
        server.expect('SASLResponse')
        clientFirst = Buffer.from(message.data ?? [])
        challenge = serverFirst(verifier, `${clientFirst.toString().slice('n,,n=,r='.length)}srv`)
        return fly(server, { type: 'AuthenticationSASLContinue', data: challenge })
      case 'SASLResponse': {
        const data = judge(verifier, clientFirst, challenge, message.data)
        if (data !== null) return fly(server, { type: 'AuthenticationSASLFinal', data }, ...greeting)
        return fly(server, WRONG_PASSWORD)
      }
      case 'Query':
        return fly(
          server,
          { type: 'CommandComplete', commandTag: message.query },
          { type: 'ReadyForQuery', status: 'I' },
        )
      case 'Terminate':
        return server.end()
      default:
        throw new TypeError(`the scripted server does not know ${message.type}`)
    }
  })

  function fly(server: ScriptedServer, ...messages: backend.BackendMessage[]): void {
    const at = silent ? 0 : messages.findIndex(({ type }) => type === silentAt)
    silent ||= at >= 0
    if (messages.some(({ type }) => type === 'AuthenticationSASL')) server.expect('SASLInitialResponse')
    const flight = Buffer.concat(messages.slice(0, at < 0 ? undefined : at).map(encodeBackend))
    for (const piece of segment(flight)) server.sendBytes(piece)
  }

  function askFor(wanted: Method): readonly backend.BackendMessage[] {
    if (wanted === 'trust') return greeting
    if (wanted === 'password') return [{ type: 'AuthenticationCleartextPassword' }]
    if (wanted === 'md5') return [{ type: 'AuthenticationMD5Password', salt: SALT.subarray(0, 4) }]
    return [{ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] }]
  }
}

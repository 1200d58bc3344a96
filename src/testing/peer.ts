/**
 * The steps of a hostile server's script: what it waits for, what it sends, how it ends. Nothing here obliges it
 * to be lawful.
 */
import { type Clock, monotonicClock } from '../net/deadline.ts'
import type { BackendMessage } from '../protocol/backend.ts'
import { decodeFrontend, type FrontendMessage, type PasswordKind } from '../protocol/frontend.ts'
import { decodeStartup, type StartupPacket } from '../protocol/startup.ts'
import { encodeBackend } from './encode-backend.ts'
import { ClientGone, type Line } from './line.ts'
import type { ServerTlsOptions } from './server-tls.ts'

/** What a server does with one connection. When it returns, the server is silent and waits for the client to leave. */
export type Script = (peer: Peer) => Promise<void>

/**
 * One client, as seen by a script. Every step throws ClientGone once the client has left, which ends the script.
 *
 * @example
 * const script: Script = async (peer) => {
 *   await peer.expectStartup()
 *   await peer.send({ type: 'AuthenticationOk' })
 *   await peer.drip(Buffer.from('Z'), 100)
 * }
 */
export class Peer {
  readonly #line: Line
  readonly #clock: Clock
  #pending: Buffer = Buffer.alloc(0)
  #isGone = false

  constructor(line: Line, clock: Clock = monotonicClock) {
    this.#line = line
    this.#clock = clock
    void line.gone.then(() => {
      this.#isGone = true
    })
  }

  /** The next message without a tag: StartupMessage, SSLRequest, CancelRequest. */
  async expectStartup(): Promise<StartupPacket> {
    const lengthBytes = (await this.expectBytes(4)).readInt32BE(0)
    return decodeStartup(await this.expectBytes(lengthBytes - 4))
  }

  /** The next message with a tag. What a 'p' means is for the server to know: it says which it asked for. */
  async expectMessage(password: PasswordKind = 'PasswordMessage'): Promise<FrontendMessage> {
    const header = await this.expectBytes(5)
    return decodeFrontend(header.toString('latin1', 0, 1), await this.expectBytes(header.readInt32BE(1) - 4), password)
  }

  async expectBytes(count: number): Promise<Buffer> {
    while (this.#pending.length < count) {
      const chunk = await this.#line.read()
      if (chunk === null) throw new ClientGone()
      this.#pending = Buffer.concat([this.#pending, chunk])
    }
    const bytes = this.#pending.subarray(0, count)
    this.#pending = this.#pending.subarray(count)
    return bytes
  }

  /** Lawful messages, in one segment. */
  send(...messages: BackendMessage[]): Promise<void> {
    return this.sendBytes(...messages.map(encodeBackend))
  }

  /** Anything at all, in one segment. */
  sendBytes(...bytes: (Buffer | string)[]): Promise<void> {
    return this.#line.write(Buffer.concat(bytes.map((one) => (typeof one === 'string' ? Buffer.from(one) : one))))
  }

  /** Anything at all, past TLS, into the connection below it. */
  sendOutsideTls(bytes: Buffer | string): Promise<void> {
    return this.#line.writeOutsideTls(Buffer.from(bytes))
  }

  /** Byte by byte, with a pause behind each. */
  async drip(bytes: Buffer, everyMs: number): Promise<void> {
    for (const byte of bytes) {
      await this.sendBytes(Buffer.from([byte]))
      await this.pause(everyMs)
    }
  }

  /** The same bytes again and again, as fast as the client takes them, until it leaves. */
  async flood(bytes: Buffer): Promise<void> {
    for (;;) {
      if (this.#isGone) throw new ClientGone()
      await this.#line.write(bytes)
    }
  }

  /** A record inside TLS 1.3 of any type; what the server itself would send is not understood any more. */
  sendRecord(contentType: number, content: Buffer): Promise<void> {
    return this.#line.writeRecord(contentType, content)
  }

  /** A record inside TLS again and again, as fast as the client takes them, until it leaves. */
  async floodRecords(contentType: number, content: Buffer): Promise<void> {
    for (;;) {
      if (this.#isGone) throw new ClientGone()
      await this.#line.writeRecord(contentType, content)
    }
  }

  /** The same bytes again and again with a pause behind each, until the client leaves. */
  async trickle(bytes: Buffer, everyMs: number): Promise<void> {
    for (;;) {
      await this.sendBytes(bytes)
      await this.pause(everyMs)
    }
  }

  /** Do nothing for a while. */
  async pause(durationMs: number): Promise<void> {
    let cancel = () => {}
    const passed = new Promise<void>((resolve) => {
      cancel = this.#clock.setTimer(resolve, durationMs)
    })
    try {
      await Promise.race([passed, this.#line.gone])
    } finally {
      cancel()
    }
    if (this.#isGone) throw new ClientGone()
  }

  /** Say nothing more. */
  silence(): Promise<void> {
    return this.#line.gone
  }

  /** Take nothing more from the network. */
  stopReading(): void {
    this.#line.stopReading()
  }

  /** Close our side in order. */
  fin(): void {
    this.#line.fin()
  }

  /** Break the connection: the client's system reports ECONNRESET, and drops what it has not read yet. */
  reset(): void {
    this.#line.reset()
  }

  /** Be a TLS server from now on. */
  startTls(options: ServerTlsOptions): Promise<void> {
    return this.#line.startTls(options)
  }
}

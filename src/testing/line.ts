/**
 * One accepted connection as bytes in both directions, with the ways to end it badly. A socket is one
 * (socket-line.ts); a simulation in memory can be another.
 */
import type { ServerTlsOptions } from './server-tls.ts'

export interface Line {
  /** Hand bytes over; settles when more can be taken. Throws ClientGone. */
  write(bytes: Buffer): Promise<void>
  /** The client's next bytes, or null once it has closed its side. */
  read(): Promise<Buffer | null>
  /** Close our side in order; the client's stays open. */
  fin(): void
  /** Break the connection. */
  reset(): void
  /** Take nothing from the network until further notice: the client's window fills up. */
  stopReading(): void
  /** Begin TLS as its server; from then on bytes are those inside. */
  startTls(options: ServerTlsOptions): Promise<void>
  /** Settles once the client has let go of the connection, or we have. */
  readonly gone: Promise<void>
  /** Write past TLS into the connection below it, as somebody on the path can. Throws ClientGone. */
  writeOutsideTls(bytes: Buffer): Promise<void>
  /** Write one record inside TLS 1.3, of any type and with anything in it, in place of all that the server would send. Throws ClientGone. */
  writeRecord(contentType: number, content: Buffer): Promise<void>
  /** All that the client sent outside TLS: what anybody on the path can read. */
  readonly receivedInClear: Buffer
  /** All that the client sent inside TLS. */
  readonly receivedInTls: Buffer
}

/** The client is no longer there. It ends a script and is no failure of it. */
export class ClientGone extends Error {
  constructor() {
    super('the client has closed the connection')
    this.name = 'ClientGone'
  }
}

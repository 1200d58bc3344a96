/**
 * A server that is not PostgreSQL's own under examination: PGlite behind its socket, through an adapter of a few lines.
 * `npm run example -- pglite` runs it; docs/plug-in.md says how to plug in one's own.
 */
import { SERVER_PROPERTIES, type ServerAdapter } from 'pg-deadline/testing'
import { GENERATED_SERVER_PROPERTIES } from 'pg-deadline/testing/arbitraries'
import { type PgliteServer, startPglite } from '../test/servers/pglite.ts'

export class Pglite implements ServerAdapter, AsyncDisposable {
  #server: PgliteServer

  private constructor(server: PgliteServer) {
    this.#server = server
  }

  static async start(): Promise<Pglite> {
    return new Pglite(await startPglite())
  }

  get name(): string {
    return this.#server.name
  }

  get address() {
    const { host, port, user, database } = this.#server
    return { host, port, user, database, password: '' }
  }

  async restart(): Promise<void> {
    await this.#server.stop()
    this.#server = await startPglite()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop()
  }
}

const IDS = [
  'server/byte-by-byte',
  'server/segmentation',
  'server/encryption-request',
  'server/protocol-version',
  'server/unknown-option',
  'server/cancel-request',
]

/** Those about a lawful handshake. One backend serves all its connections, and it is not made for strangers. */
export const PGLITE_PROPERTIES = [...SERVER_PROPERTIES, ...GENERATED_SERVER_PROPERTIES].filter(({ id }) =>
  IDS.includes(id),
)

/**
 * What the suite has to be told of a client or a server that is not ours: where it is and how it is used, and nothing else.
 * docs/plug-in.md has an example of each.
 */

/** Where a server listens, and whom it lets in. */
export interface ServerAddress {
  /** A name, an address, or the directory of a Unix-domain socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** What is given to a server that asks for one. */
  readonly password: string
}

/** What a client is asked to connect to. */
export interface ClientTarget extends ServerAddress {
  /** More of libpq's connection parameters, by their names there; sslmode is always among them. */
  readonly parameters: Readonly<Record<string, string>>
}

/** A session, as far as the suite needs one. */
export interface ClientConnection {
  close(): Promise<void>
}

/**
 * A client under examination.
 *
 * @example
 * const ours: ClientAdapter = {
 *   name: 'pg-deadline',
 *   takesSignal: true,
 *   async connect({ database, parameters, ...target }, { timeoutMs, signal }) {
 *     return connect({ ...target, dbname: database, sslmode: 'disable' }, { timeoutMs, signal })
 *   },
 * }
 */
export interface ClientAdapter {
  /** Whatever the report shall call it: name and version. */
  readonly name: string
  /**
   * Connect until the server is ready for a query, or reject, within `timeoutMs`. A timer of the adapter's own would be what
   * is examined: set the client's.
   */
  connect(
    target: ClientTarget,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ClientConnection>
  /** Whether `signal` ends its connects. Default: false, and nothing is asked of it. */
  readonly takesSignal?: boolean | undefined
  /** Whether the client has these parameters at all, and can go to such a host. Default: sslmode=disable alone, by TCP. */
  supports?(target: ClientTarget): boolean
}

/** A server under examination. */
export interface ServerAdapter {
  readonly name: string
  /** Where it is now; asked for again after a restart. It is spoken to without TLS. */
  readonly address: ServerAddress
  /**
   * A fresh one, for the properties that come after one that this one did not get over. Without it those are examined on what
   * is left.
   */
  restart?(): Promise<void>
}

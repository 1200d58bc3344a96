/** Where the clients connect to, and what they may be asked for: what a process of theirs is told as JSON. */

/** One role, one database, one server: SCRAM-SHA-256 with 4,096 iterations, which is PostgreSQL's default. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** The certificate authority (PEM) and its file, if the connection is to be in TLS that verifies the server (verify-full). */
  readonly tls: { readonly ca: string; readonly caFile: string } | null
}

/**
 * `pg-deadline`: ours as it comes. `pg-deadline, cold`: without its memory of keys. `pg-deadline, fast`: with everything that
 * saves a round trip. `pg-deadline, file`: the certificate authority is in a file, which is looked at for every connect. `direct`: TLS
 * begins without being asked for. `floor`: does nothing that could be done beforehand.
 */
export const CLIENT_IDS = [
  'pg-deadline',
  'pg-deadline, cold',
  'pg-deadline, fast',
  'pg-deadline, file',
  'pg',
  'pg, direct',
  'postgres.js',
  'postgres.js, direct',
  'floor',
  'floor, cold',
] as const
export type ClientId = (typeof CLIENT_IDS)[number]

/** Lets go of a connection in order; settles when the connection is closed. */
export type Close = () => Promise<unknown>

export interface Client {
  /** Connect, until the session is ready. */
  readonly connect: (deadlineMs: number) => Promise<Close>
  /** Connect, and read the first row of `select 1`. */
  readonly firstRow: (deadlineMs: number) => Promise<Close>
  /** Connect once, and read the rows of a text as arrays of text, as often as one likes. */
  readonly openReader?: (text: string) => Promise<() => Promise<unknown>>
}

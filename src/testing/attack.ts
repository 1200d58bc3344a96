/** What an attack is, as data. The catalogue itself stands in attacks.ts and the files of attacks/. */
import type { FailureKind } from '../protocol/failure.ts'
import type { Script } from './peer.ts'

export type Theme = 'framing' | 'order' | 'authentication' | 'scram' | 'startup' | 'time' | 'tls'

export interface Attack {
  /** Stable: 'theme/what-the-server-does'. */
  readonly id: string
  /** What the server does, as a sentence without its subject. */
  readonly title: string
  readonly requirement: Requirement
  /** Connection parameters by libpq's names, those of `BASE` aside. A value of AUTHORITY_FILE is to be replaced. */
  readonly target: Readonly<Record<string, string>>
  /** Where the server listens for it. A client is at its most trusting on a Unix-domain socket. */
  readonly transport: 'tcp' | 'unix'
  readonly script: Script
  readonly verdict: Verdict
  /** The client's messages until then, exactly, over all connections that it made. Nothing else may have left. */
  readonly sent: readonly string[]
  /** A text of the server that must not be shown to the user, if there is one. */
  readonly withheld: string | null
}

/** Why a client must answer as the verdict says. */
export interface Requirement {
  readonly text: string
  /** A page's anchor in PostgreSQL's manual, an RFC with its section, a CVE, a bound of libpq. */
  readonly source: string
}

/** How the connect must end. */
export interface Verdict {
  readonly kind: FailureKind
  /** The name of the state in which it must end: docs/handshake.md. */
  readonly phase: string
  /** 'at once': by what the server did. 'deadline': by the clock, because the server is merely silent or slow. */
  readonly when: 'at once' | 'deadline'
}

/** What every attack's target has, unless it says otherwise. The password must never be seen on the wire. */
export const BASE: Readonly<Record<string, string>> = {
  user: 'alice',
  password: 'correct-horse-battery-staple',
  sslmode: 'disable',
}

export const PASSWORD = 'correct-horse-battery-staple'

/** Stands in a target for the path of a file that holds the certificate authority of the attack's server. */
export const AUTHORITY_FILE = '<authority-file>'

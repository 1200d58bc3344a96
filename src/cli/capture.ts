/**
 * What a session was on the wire, and in which states: as it happened, in one stream. The states stand between the messages, so
 * that what was received is followed by the state to which it led. How it is kept in a file stands in capture-file.ts.
 *
 * It has the messages in plaintext, also of a session in TLS: of TLS itself only what came of it.
 */
import type { Direction } from './dissect.ts'

export interface CaptureHeader {
  /** Where it went, as errors show it: no user, no password. */
  readonly server: string
  /** When it began, in milliseconds since 1970; null: nobody knows. Everything else counts from here. */
  readonly startedAtMs: number | null
  /** The whole deadline; null: there was none, or nobody knows. */
  readonly timeoutMs: number | null
  /** Whether secrets were replaced. Which bytes these are, each message says. */
  readonly secrets: 'redacted' | 'shown'
}

/** From `begin` on, up to and without `end`, in bytes of the message. */
export interface Range {
  readonly begin: number
  readonly end: number
}

export type CaptureEntry =
  /** Another attempt, which is another connection: nothing of the one before holds. */
  | {
      readonly kind: 'attempt'
      readonly atMs: number
      /** From 1 on. */
      readonly attempt: number
      /** 'host:port', '[address]:port', or the path of a Unix-domain socket. */
      readonly endpoint: string
      /** What it wants of TLS: off, preferred, required. */
      readonly encryption: string
      /** What it is given of the deadline; null: there is none. */
      readonly sliceMs: number | null
    }
  /** The state from now on. */
  | { readonly kind: 'state'; readonly atMs: number; readonly state: string }
  /** One message, or the one byte that answers SSLRequest. */
  | {
      readonly kind: 'message'
      readonly atMs: number
      readonly direction: Direction
      readonly bytes: Buffer
      /** What was replaced, in order and apart from each other. */
      readonly redacted: readonly Range[]
    }
  /** TLS is up. */
  | {
      readonly kind: 'tls'
      readonly atMs: number
      readonly version: string
      readonly cipher: string
      readonly alpnProtocol: string | null
    }
  /** The attempt has failed, in this state. Another one may follow. */
  | { readonly kind: 'failed'; readonly atMs: number; readonly state: string; readonly problem: string }
  /** The handshake has come to its end; `problem` is the error's sentence, null if it went well. */
  | { readonly kind: 'end'; readonly atMs: number; readonly state: string; readonly problem: string | null }

export type MessageEntry = Extract<CaptureEntry, { kind: 'message' }>

export interface Capture {
  readonly header: CaptureHeader
  readonly entries: readonly CaptureEntry[]
}

/** The commands' own error for what a user has given them: it says where it is, what was expected and what was found. */
export class InputError extends Error {
  constructor(where: string, problem: string) {
    super(`${where}: ${problem}`)
    this.name = 'InputError'
  }
}

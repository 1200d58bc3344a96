/**
 * What all formats are: entries in, lines out, as they come. A format is as pure as that; it sees neither the wire nor the screen
 * that it is printed to.
 */
import type { CaptureEntry, CaptureHeader } from './capture.ts'
import type { Screen } from './screen.ts'

export interface Format {
  /** Lines for one entry, without line ends. */
  entry(entry: CaptureEntry): readonly string[]
  /** Lines for the end. */
  finish(): readonly string[]
}

/** What libpq's own format knows to choose: PQsetTraceFlags, and which libpq it is. */
export interface LibpqOptions {
  readonly dialect: '15' | '18'
  /** PQTRACE_SUPPRESS_TIMESTAMPS. */
  readonly suppressTimestamps: boolean
  /** PQTRACE_REGRESS_MODE: what changes from run to run, such as object identifiers, is not shown. */
  readonly regressMode: boolean
}

/** What a format is told beforehand. */
export interface FormatContext {
  readonly header: CaptureHeader
  readonly screen: Screen
  readonly libpq: LibpqOptions
  /** Whether the entries have times: bytes by themselves have none. */
  readonly hasTimes: boolean
}

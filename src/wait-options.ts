/** What everything that waits takes: how long, and who may end it. Checked strictly: a misspelt limit is no limit. */

export interface WaitOptions {
  /** Milliseconds from the call on. Zero or less: already over. Infinity: no limit. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait. Its reason becomes the error's `cause`. */
  readonly signal?: AbortSignal | undefined
}

export interface ConnectOptions extends WaitOptions {
  /**
   * The least time, in milliseconds, in which a connect can succeed here. With less left it is not begun, and fails at once:
   * in a storm, work that cannot be finished only makes the rest late. Default: it is always begun.
   */
  readonly leastMs?: number | undefined
}

interface Misuse {
  readonly parameter: string
  readonly problem: string
}

/** What is wrong with options that a caller has passed, or null. */
export function findMisuse(options: unknown): Misuse | null {
  return findMisuseOf(options, ['timeoutMs', 'signal'])
}

/** The same for those of `connect`. */
export function findConnectMisuse(options: unknown): Misuse | null {
  const misuse = findMisuseOf(options, ['timeoutMs', 'signal', 'leastMs'])
  if (misuse !== null) return misuse
  const { leastMs } = options as ConnectOptions
  if (leastMs === undefined || (typeof leastMs === 'number' && !Number.isNaN(leastMs))) return null
  return { parameter: 'leastMs', problem: `expected a number of milliseconds, got ${shown(leastMs)}` }
}

function findMisuseOf(options: unknown, names: readonly string[]): Misuse | null {
  if (typeof options !== 'object' || options === null) {
    return { parameter: 'options', problem: `expected an object, got ${options === null ? 'null' : typeof options}` }
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    return {
      parameter: unknown,
      problem: `is no option; there are ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`,
    }
  }
  const { timeoutMs, signal } = options as WaitOptions
  if (timeoutMs !== undefined && (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs))) {
    return { parameter: 'timeoutMs', problem: `expected a number of milliseconds, got ${shown(timeoutMs)}` }
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    return { parameter: 'signal', problem: `expected an AbortSignal, got ${shown(signal)}` }
  }
  return null
}

function shown(value: unknown): string {
  return typeof value === 'number' || value === null ? String(value) : typeof value
}

/** What everything that waits takes: how long, and who may end it. Checked strictly: a misspelt limit is no limit. */

export interface WaitOptions {
  /** Milliseconds from the call on. Zero or less: already over. Infinity: no limit. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait. Its reason becomes the error's `cause`. */
  readonly signal?: AbortSignal | undefined
}

/** What is wrong with options that a caller has passed, or null. */
export function findMisuse(options: unknown): { readonly parameter: string; readonly problem: string } | null {
  if (typeof options !== 'object' || options === null) {
    return { parameter: 'options', problem: `expected an object, got ${options === null ? 'null' : typeof options}` }
  }
  const unknown = Object.keys(options).find((name) => name !== 'timeoutMs' && name !== 'signal')
  if (unknown !== undefined) return { parameter: unknown, problem: 'is no option; there are timeoutMs and signal' }
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

/**
 * Ctrl-C as an AbortSignal, so that everything that waits ends by itself and is closed in order. A second Ctrl-C does not
 * wait for that: the process exits, and the server's fixture takes its server along.
 */
const controller = new AbortController()

/** npm and tsx pass on what the terminal has sent to the whole group already: one key can be two signals. */
const SAME_KEY_MS = 250

export const EXIT_CODE = 130 // 128 + SIGINT, as shells do

export const interrupted: AbortSignal = controller.signal

let firstMs: number | null = null
process.on('SIGINT', () => {
  const nowMs = performance.now()
  firstMs ??= nowMs
  if (nowMs - firstMs > SAME_KEY_MS) process.exit(EXIT_CODE)
  controller.abort(new Error('interrupted by Ctrl-C'))
})

/** What keeps this process alive, as Node counts it: to prove that nothing is left behind. */
import { expect } from 'vitest'

/** Names such as 'TCPSocketWrap', 'PipeWrap', 'Timeout', 'GetAddrInfoReqWrap'; sorted. */
export function openResources(): string[] {
  // An Immediate is how these tests wait.
  return process
    .getActiveResourcesInfo()
    .filter((name) => name !== 'Immediate')
    .sort()
}

/** Let the event loop turn until `condition` holds; sockets need a few turns to close. Fails after five seconds. */
export async function untilTrue(condition: () => boolean, what: string): Promise<void> {
  const giveUpAtMs = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > giveUpAtMs) throw new Error(`still not true after five seconds: ${what}`)
    await turn()
  }
}

/** Nothing but what was open `before`. */
export async function expectNoMoreThan(before: readonly string[]): Promise<void> {
  await untilTrue(() => surplus(before).length === 0, 'all is closed').catch(() => {})
  expect(surplus(before)).toEqual([])
}

/** One turn of the event loop: everything that has arrived by now is delivered. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function surplus(before: readonly string[]): string[] {
  const known = [...before]
  return openResources().filter((name) => {
    const at = known.indexOf(name)
    if (at >= 0) known.splice(at, 1)
    return at < 0
  })
}

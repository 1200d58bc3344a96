/**
 * What nobody in this process catches while somebody else's code runs in it, and whose it was. Without a watch it would end the
 * process, and the examination with it.
 */
import { inLanes } from './examine.ts'

export class CrashWatch implements Disposable {
  readonly #crashes: string[] = []
  readonly #note = (error: unknown) => void this.#crashes.push(String(error))

  constructor() {
    // Without a listener of its own for it, an unhandled rejection comes this way as well.
    process.on('uncaughtException', this.#note)
  }

  /** What there was since the last time, and forgets it. */
  take(): string | null {
    return this.#crashes.splice(0).join('; ') || null
  }

  [Symbol.dispose](): void {
    process.off('uncaughtException', this.#note)
  }
}

/** As `inLanes`; what `crashed` makes of a result takes its place if there was a crash meanwhile. */
export async function inWatchedLanes<Item, Result>(
  items: readonly Item[],
  lanes: number,
  act: (item: Item) => Promise<Result>,
  crashed: (result: Result, crash: string) => Result,
): Promise<Result[]> {
  using watch = new CrashWatch()
  // Of several at once nobody knows whose crash it was: those are tried again, one by one.
  const inFlight = new Set<number>()
  const suspects = new Set<number>()
  const results = await inLanes([...items.entries()], lanes, async ([index, item]) => {
    inFlight.add(index)
    const result = await act(item)
    if (watch.take() !== null) for (const one of inFlight) suspects.add(one)
    inFlight.delete(index)
    return result
  })
  for (const index of suspects) {
    const result = await act(items[index] as Item)
    const crash = watch.take()
    results[index] = crash === null ? result : crashed(result, crash)
  }
  return results
}

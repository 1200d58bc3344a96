/** A fair order, from randomness that is handed in. */

/** As that of node:crypto. */
export type RandomBytes = (lengthBytes: number) => Buffer

/** The same things in an order of which every one is as likely as any other (Fisher and Yates). */
export function shuffle<T>(things: readonly T[], randomBytes: RandomBytes): T[] {
  const left = [...things]
  const shuffled: T[] = []
  while (left.length > 0) {
    // 32 bits for a few hundred things: the remainder favours none of them by more than one in ten million.
    const [taken] = left.splice(randomBytes(4).readUInt32BE() % left.length, 1)
    shuffled.push(taken as T)
  }
  return shuffled
}

/** Randomness that a seed decides: the same seed, the same world, on every machine. */

/** Mulberry32: 32 bits of state are enough for a world of a few hundred draws. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to 1, without 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1))
  }

  /** True in so many of a hundred cases. */
  chance(percent: number): boolean {
    return this.fraction() * 100 < percent
  }

  pick<T>(things: readonly T[]): T {
    return things[this.whole(0, things.length - 1)] as T
  }

  readonly bytes = (lengthBytes: number): Buffer => {
    const bytes = Buffer.alloc(lengthBytes)
    for (let offset = 0; offset < lengthBytes; offset += 1) bytes[offset] = this.whole(0, 255)
    return bytes
  }
}

/** A map that holds so many entries and no more: the one that was not used for longest leaves first. */
export class Recent<V> {
  readonly #entriesMax: number
  /** From the least to the most recently used: a Map keeps the order in which its entries were set. */
  readonly #entries = new Map<string, V>()

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#entriesMax) return
    const [longestUnused] = this.#entries.keys()
    this.#entries.delete(longestUnused as string)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}

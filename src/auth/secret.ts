/**
 * A string that does not show itself: not in toString, JSON, inspect or a template literal. It is read in
 * one way only, by name, so that every place where a password is used can be found by searching for `reveal`.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The string itself. Never put what this returns into an error, a trace or a state that outlives its use. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
}

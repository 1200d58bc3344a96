/** How far it is, on stderr: one line that is written over on a terminal, and now and then a line elsewhere. */

/** Where nobody looks all the time. */
const LINE_EVERY_MS = 20_000

export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #name: string
  readonly #startedMs = performance.now()
  #toldMs = this.#startedMs

  constructor(stream: NodeJS.WriteStream, name: string) {
    this.#stream = stream
    this.#name = name
    if (!stream.isTTY) stream.write(`${name} ...\n`)
  }

  readonly tell = (done: number, of: number, what: string): void => {
    const line = `${this.#name}: ${done} of ${of} (${what})`
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[K${line}`)
    } else if (performance.now() - this.#toldMs > LINE_EVERY_MS) {
      this.#toldMs = performance.now()
      this.#stream.write(`  ${line}\n`)
    }
  }

  end(): void {
    const seconds = Math.round((performance.now() - this.#startedMs) / 1_000)
    this.#stream.write(`${this.#stream.isTTY ? '\r\x1b[K' : ''}${this.#name}: ${seconds} s\n`)
  }
}

/** A client in a process of its own, from this side: orders go there, figures come back. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Birth } from '../clients/child.ts'
import type { LeanServerOptions } from '../clients/lean-server.ts'
import type { Answer, CyclesAnswer, OpenAnswer, Order, RowsAnswer, StormAnswer } from '../clients/orders.ts'
import type { PathOptions } from '../clients/path.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Where bench/clients/tsconfig.json has the compiler put it. Below the project, so that packages are found from there. */
const COMPILED = join(ROOT, 'node_modules/.cache/pg-deadline-bench')

/** Ours is measured as users have it, compiled; and the clients around it in the same way. */
export function compileClients(): void {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [compiler, '-p', join(ROOT, 'bench/clients/tsconfig.json')],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`the clients do not compile: ${stdout}${stderr}`)
}

type AnswerTo<O extends Order> = O extends { do: 'cycles' }
  ? CyclesAnswer
  : O extends { do: 'open' | 'close' }
    ? OpenAnswer
    : O extends { do: 'rows' }
      ? RowsAnswer
      : StormAnswer

export class Worker implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>

  constructor(birth: Birth, nodeOptions: readonly string[] = []) {
    this.#child = start('child', birth, nodeOptions)
    this.#exited = exitOf(this.#child)
  }

  /** One order at a time. Rejects if it cannot be carried out, or the process ends. */
  async ask<O extends Order>(order: O): Promise<AnswerTo<O>> {
    const answered = new Promise<Answer>((resolve) => this.#child.once('message', resolve))
    this.#child.send(order)
    const answer = await Promise.race([answered, this.#exited])
    if (answer === undefined) throw new Error(`a client ended with ${this.#child.exitCode ?? this.#child.signalCode}`)
    if ('failed' in answer) throw new Error(answer.failed)
    return answer as AnswerTo<O>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#exited
  }
}

/** A server or a path in a process of its own, and where it listens. */
export class Place implements AsyncDisposable {
  readonly port: number
  /** Of the lean server: where TLS begins at once. */
  readonly directPort: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, { port, directPort = port }: Ports) {
    this.#child = child
    this.port = port
    this.directPort = directPort
  }

  static leanServer(options: LeanServerOptions): Promise<Place> {
    return Place.#open('lean-server', options)
  }

  static path(options: PathOptions): Promise<Place> {
    return Place.#open('path', options)
  }

  static async #open(program: string, argument: object): Promise<Place> {
    const child = start(program, argument, [])
    const exited = exitOf(child)
    const listening = new Promise<Ports>((resolve) => child.once('message', resolve))
    const place = await Promise.race([listening, exited])
    if (place === undefined) throw new Error(`${program} ended with ${child.exitCode ?? child.signalCode}`)
    return new Place(child, place)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = exitOf(this.#child)
    this.#child.disconnect()
    await exited
  }
}

interface Ports {
  readonly port: number
  readonly directPort?: number
}

function start(program: string, argument: object, nodeOptions: readonly string[]): ChildProcess {
  const file = join(COMPILED, `bench/clients/${program}.js`)
  // PGSSLMODE and its like would be heard by some clients and not by others.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')))
  return fork(file, [JSON.stringify(argument)], { execArgv: [...nodeOptions], env })
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

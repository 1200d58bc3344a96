/**
 * An address that swallows: a connect to it is neither refused nor completed, as behind a firewall that drops packets.
 *
 * A process listens and then sleeps; until then it can be the way to a server. The kernel completes connections for it
 * until its queue is full, and lets whoever comes after wait for a SYN+ACK.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

interface Place {
  readonly host: string
  readonly port: number
}

/** Told to, it sleeps. If we should be killed before we can kill it, it ends after five minutes. */
const PROGRAM = `
  const { connect, createServer } = require('node:net')
  const [host, port] = process.argv.slice(1)
  const server = createServer((client) => {
    const server = connect({ host, port })
    client.pipe(server).pipe(client)
    for (const socket of [client, server]) socket.on('error', () => {})
  })
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port))
  })
  process.stdin.once('data', () => {
    require('node:fs').writeSync(1, 'asleep')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300_000)
    process.exit()
  })`

const FILLERS_MAX = 16
/** On the loopback interface a connection takes less than a millisecond. */
const PATIENCE_MS = 200

export class BlackHole implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #fillers: Socket[] = []

  private constructor(port: number, child: ChildProcessByStdio<Writable, Readable, null>) {
    this.port = port
    this.#child = child
  }

  static async open(): Promise<BlackHole> {
    const hole = await BlackHole.before({ host: '127.0.0.1', port: 0 })
    try {
      await hole.swallow()
      return hole
    } catch (error) {
      await hole[Symbol.asyncDispose]()
      throw error
    }
  }

  /** A way to `target` that is open until it is told to swallow. */
  static async before(target: Place): Promise<BlackHole> {
    const parameters = ['--eval', PROGRAM, target.host, String(target.port)]
    const child = spawn(process.execPath, parameters, { stdio: ['pipe', 'pipe', 'inherit'] })
    const [written] = (await once(child.stdout, 'data')) as [Buffer]
    return new BlackHole(Number(written), child)
  }

  /** Whoever comes from now on is swallowed; those who are here hear nothing any more. */
  async swallow(): Promise<void> {
    const asleep = once(this.#child.stdout, 'data')
    this.#child.stdin.write('sleep')
    await asleep
    while (this.#fillers.length < FILLERS_MAX) {
      const filler = connect({ host: this.host, port: this.port })
      filler.on('error', () => {})
      this.#fillers.push(filler)
      if (await connects(filler)) continue
      filler.destroy()
      return
    }
    throw new Error(`a queue of one connection took ${FILLERS_MAX} of them`)
  }

  /** Whether nobody is dialing any more. Of Linux's own list of sockets: the other end cannot know. */
  get isDeserted(): boolean {
    const port = this.port.toString(16).toUpperCase().padStart(4, '0')
    const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
    // Remote address, then the state: 02 is SYN_SENT.
    return !lines.some((line) => new RegExp(`^\\s*\\d+: \\S+ [0-9A-F]{8}:${port} 02 `).test(line))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const filler of this.#fillers) filler.destroy()
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}

async function connects(socket: Socket): Promise<boolean> {
  const giveUp = new AbortController()
  const connected = once(socket, 'connect', giveUp).then(
    () => true,
    () => false,
  )
  const late = sleep(PATIENCE_MS, false, giveUp).catch(() => false)
  try {
    return await Promise.race([connected, late])
  } finally {
    giveUp.abort()
  }
}

/**
 * An address that swallows: a connect to it is neither refused nor completed, as behind a firewall that drops packets.
 *
 * A process listens and then sleeps. The kernel completes connections for it until its queue is full, and lets whoever comes
 * after wait for a SYN+ACK.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** If we should be killed before we can kill it, it ends after five minutes. */
const PROGRAM = `
  const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300_000)
    process.exit()
  })`

const FILLERS_MAX = 16
/** On the loopback interface a connection takes less than a millisecond. */
const PATIENCE_MS = 200

export class BlackHole implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #end: () => Promise<void>

  private constructor(port: number, end: () => Promise<void>) {
    this.port = port
    this.#end = end
  }

  static async open(): Promise<BlackHole> {
    const child = spawn(process.execPath, ['--eval', PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [written] = (await once(child.stdout, 'data')) as [Buffer]
    const port = Number(written)
    const fillers: Socket[] = []

    async function end(): Promise<void> {
      for (const filler of fillers) filler.destroy()
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
    }

    while (fillers.length < FILLERS_MAX) {
      const filler = connect({ host: '127.0.0.1', port })
      filler.on('error', () => {})
      fillers.push(filler)
      if (await connects(filler)) continue
      filler.destroy()
      return new BlackHole(port, end)
    }
    await end()
    throw new Error(`a queue of one connection took ${FILLERS_MAX} of them`)
  }

  /** Whether nobody is dialing any more. Of Linux's own list of sockets: the other end cannot know. */
  get isDeserted(): boolean {
    const port = this.port.toString(16).toUpperCase().padStart(4, '0')
    const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
    // Remote address, then the state: 02 is SYN_SENT.
    return !lines.some((line) => new RegExp(`^\\s*\\d+: \\S+ [0-9A-F]{8}:${port} 02 `).test(line))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end()
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

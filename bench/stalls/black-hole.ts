/**
 * An address that never answers, on loopback: a listening socket whose queue is full. Linux drops every SYN for it, as a
 * firewall would. Nothing accepts, since the thread that listens is asleep.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

const LISTENER = `
const { parentPort } = require('node:worker_threads')
const server = require('node:net').createServer()
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 0)
})`

/** A backlog of one holds two connections. */
const CONNECTIONS_MAX = 8
const ANSWER_MS = 250

export class BlackHole implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #worker: Worker
  readonly #queued: readonly Socket[]

  private constructor(port: number, worker: Worker, queued: readonly Socket[]) {
    this.port = port
    this.#worker = worker
    this.#queued = queued
  }

  static async open(): Promise<BlackHole> {
    const worker = new Worker(LISTENER, { eval: true })
    const port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    await sleep(50)
    const queued: Socket[] = []
    while (queued.length < CONNECTIONS_MAX) {
      const socket = await dial(port)
      if (socket === null) return new BlackHole(port, worker, queued)
      queued.push(socket)
    }
    for (const socket of queued) socket.destroy()
    await worker.terminate()
    throw new Error('this system answers for a full queue; a black hole on loopback needs Linux')
  }

  /** Whether nobody is dialing any more. Of Linux's own list of sockets: the other end cannot know. */
  get isDeserted(): boolean {
    const port = this.port.toString(16).toUpperCase().padStart(4, '0')
    const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
    // Remote address, then the state: 02 is SYN_SENT.
    return !lines.some((line) => new RegExp(`^\\s*\\d+: \\S+ [0-9A-F]{8}:${port} 02 `).test(line))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#queued) socket.destroy()
    await this.#worker.terminate()
  }
}

/** A connection that was let into the queue, or null if there is no answer. */
function dial(port: number): Promise<Socket | null> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  return Promise.race([
    new Promise<Socket>((resolve) => socket.once('connect', () => resolve(socket))),
    sleep(ANSWER_MS).then(() => {
      if (socket.connecting) socket.destroy()
      return socket.destroyed ? null : socket
    }),
  ])
}

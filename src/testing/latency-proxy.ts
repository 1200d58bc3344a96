/**
 * A path that takes its time: a TCP proxy on the loopback interface that holds every byte back for half a round trip each way,
 * and counts the round trips of each connection. Seeded: with the same seed, the same delays.
 *
 * It delays bytes, not the TCP handshake, which is one more round trip on a real path; and it is no bottleneck: it holds back,
 * it does not throttle.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Clock, monotonicClock } from '../net/deadline.ts'

export interface LatencyProxyOptions {
  /** Default: 50. */
  readonly roundTripMs?: number | undefined
  /** How much longer or shorter a round trip may take, evenly spread. Bytes keep their order. Default: 0. */
  readonly jitterMs?: number | undefined
  /** An integer. Every connection has a sequence of its own. Default: 1. */
  readonly seed?: number | undefined
  readonly clock?: Clock | undefined
}

/** One connection through the proxy. */
export interface MeasuredConnection {
  /**
   * How often the client has spoken and then heard something, at its end of the path. However many segments it sends until it
   * hears something, they are one flight.
   */
  readonly roundTrips: number
  /** Whether nothing of it is left. */
  readonly isClosed: boolean
}

/** Where the proxy leads. */
export type ProxyTarget = { readonly host: string; readonly port: number } | { readonly path: string }

/**
 * @example
 * await using proxy = await LatencyProxy.listen({ host: '127.0.0.1', port: 5432 }, { roundTripMs: 42, jitterMs: 8, seed: 7 })
 * const session = await connect({ host: proxy.host, port: proxy.port, user: 'app' })
 * proxy.connections[0]?.roundTrips // 3, with SCRAM
 */
export class LatencyProxy implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #server: Server
  readonly #paths: Path[]

  private constructor(server: Server, paths: Path[]) {
    this.#server = server
    this.#paths = paths
    this.port = (server.address() as AddressInfo).port
  }

  /** Listen on a free port. Rejects with RangeError for options that make no path. */
  static async listen(target: ProxyTarget, options: LatencyProxyOptions = {}): Promise<LatencyProxy> {
    const { roundTripMs = 50, jitterMs = 0, seed = 1, clock = monotonicClock } = options
    if (!(roundTripMs >= 0 && roundTripMs <= ROUND_TRIP_MS_MAX)) {
      throw new RangeError(`roundTripMs: expected 0 to ${ROUND_TRIP_MS_MAX}, got ${roundTripMs}`)
    }
    if (!(jitterMs >= 0 && jitterMs <= roundTripMs)) {
      throw new RangeError(`jitterMs: expected 0 to roundTripMs, got ${jitterMs}`)
    }
    if (!Number.isInteger(seed)) throw new RangeError(`seed: expected an integer, got ${seed}`)
    const paths: Path[] = []
    // Half-open, as the path of a network is: the end of one direction takes its time too.
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      const draw = randomNumbers(seed + paths.length)
      const delayMs = () => (roundTripMs + (2 * draw() - 1) * jitterMs) / 2
      paths.push(new Path(client, connect({ ...target, noDelay: true, allowHalfOpen: true }), delayMs, clock))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    return new LatencyProxy(server, paths)
  }

  /** Every connection so far, in order. */
  get connections(): readonly MeasuredConnection[] {
    return this.#paths.map(({ roundTrips, isClosed }) => ({ roundTrips, isClosed }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const path of this.#paths) path.destroy()
    await closed
  }
}

/** More is no path on this planet, and no test. */
const ROUND_TRIP_MS_MAX = 60_000

/** As much as a connection may have under way in one direction before its sender is made to wait. */
const UNDER_WAY_BYTES_MAX = 1024 * 1024

/** Both directions of one connection. */
class Path {
  roundTrips = 0
  /** The client has spoken and heard nothing since. */
  #isAsking = false
  readonly #client: Socket
  readonly #server: Socket
  readonly #lanes: readonly Lane[]
  #open = 2

  constructor(client: Socket, server: Socket, delayMs: () => number, clock: Clock) {
    this.#client = client
    this.#server = server
    client.on('data', () => {
      this.#isAsking = true
    })
    const hear = () => {
      if (this.#isAsking) this.roundTrips += 1
      this.#isAsking = false
    }
    this.#lanes = [new Lane(client, server, delayMs, () => {}, clock), new Lane(server, client, delayMs, hear, clock)]
    for (const [socket, lane] of [
      [client, this.#lanes[0]],
      [server, this.#lanes[1]],
    ] as const) {
      socket.on('error', () => lane?.breakOff())
      socket.on('close', () => {
        this.#open -= 1
        lane?.close()
      })
    }
  }

  get isClosed(): boolean {
    return this.#open === 0
  }

  destroy(): void {
    for (const lane of this.#lanes) lane.stop()
    this.#client.destroy()
    this.#server.destroy()
  }
}

/** One direction: what comes in goes out later, in order, and so does its end. */
class Lane {
  readonly #from: Socket
  readonly #to: Socket
  readonly #delayMs: () => number
  readonly #deliver: () => void
  readonly #clock: Clock
  #underWayBytes = 0
  #dueMs = 0
  #isBroken = false
  #isStopped = false
  /** What is under way, in order. */
  readonly #underWay: (() => void)[] = []
  /** How to call back the timers, one for each. */
  readonly #cancels = new Set<() => void>()

  constructor(from: Socket, to: Socket, delayMs: () => number, deliver: () => void, clock: Clock) {
    this.#from = from
    this.#to = to
    this.#delayMs = delayMs
    this.#deliver = deliver
    this.#clock = clock
    from.on('data', (chunk: Buffer) => this.#carry(chunk))
    from.on('end', () => this.#later(() => to.end()))
  }

  /** The sender's connection has broken: so does the receiver's, later. */
  breakOff(): void {
    this.#isBroken = true
  }

  /** The sender's socket is gone. */
  close(): void {
    this.#later(() => (this.#isBroken ? this.#to.resetAndDestroy() : this.#to.destroySoon()))
  }

  stop(): void {
    this.#isStopped = true
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
  }

  #carry(chunk: Buffer): void {
    this.#underWayBytes += chunk.length
    if (this.#underWayBytes > UNDER_WAY_BYTES_MAX) this.#from.pause()
    this.#later(() => {
      this.#underWayBytes -= chunk.length
      this.#from.resume()
      if (this.#to.writable) {
        this.#deliver()
        this.#to.write(chunk)
      }
    })
  }

  /** Nothing overtakes anything: whichever of two timers is called first, it is for what came first. */
  #later(act: () => void): void {
    if (this.#isStopped) return
    const nowMs = this.#clock.now()
    this.#dueMs = Math.max(this.#dueMs, nowMs + this.#delayMs())
    this.#underWay.push(act)
    const cancel = this.#clock.setTimer(() => {
      this.#cancels.delete(cancel)
      this.#underWay.shift()?.()
    }, this.#dueMs - nowMs)
    this.#cancels.add(cancel)
  }
}

/** Numbers from 0 to 1, the same for the same seed: mulberry32, by Tommy Ettinger, in the public domain. */
function randomNumbers(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

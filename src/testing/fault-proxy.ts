/**
 * A TCP proxy on the loopback interface between a client and a real server, which harms what passes through it as a plan says:
 * at chosen bytes, in a chosen direction. It knows nothing of messages or of TLS: bytes are bytes.
 *
 * A plan is plain data, so that it can be drawn from a seed, printed, replayed and shrunk. What was done is data as well.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Clock, Deadline } from '../net/deadline.ts'

export type Direction = 'toServer' | 'toClient'

/** What happens, once `at` bytes of this direction have come, to what comes behind them. */
export type StreamFault = {
  readonly direction: Direction
  readonly at: number
} /** What comes behind leaves in a write of its own, a millisecond later at least. */ & (
  | { readonly do: 'split' }
  /** What comes behind is held back for a time. */
  | { readonly do: 'delay'; readonly delayMs: number }
  /** The bits of `mask`, 1 to 255, are flipped in the next byte. */
  | { readonly do: 'flip'; readonly mask: number }
  /** The next bytes are lost, so many of them. */
  | { readonly do: 'drop'; readonly count: number }
  /** The last bytes are passed on once more, so many of them; 4,096 at most are remembered. */
  | { readonly do: 'repeat'; readonly count: number }
  /** Bytes that nobody sent. */
  | { readonly do: 'inject'; readonly hex: string }
  /** Nothing comes through any more, not even the end; the connection stays until the client leaves. */
  | { readonly do: 'stall' }
  /** A FIN in this direction, and nothing behind it. The other direction goes on. */
  | { readonly do: 'halfClose' }
  /** A FIN in both directions, and nothing behind it. */
  | { readonly do: 'cut' }
  /** A RST in both directions. */
  | { readonly do: 'reset' }
)

/** In any order; of several at the same byte, the first comes first. None: a proxy that does nothing. */
export type FaultPlan = readonly StreamFault[]

/** What became of one connection. */
export interface ProxiedConnection {
  readonly plan: FaultPlan
  /** What of the plan was done, in order; the rest lies behind bytes that never came. */
  readonly done: readonly StreamFault[]
  /** How many bytes came to the proxy, by the direction in which they went. */
  readonly receivedBytes: Readonly<Record<Direction, number>>
  /** How many left it. */
  readonly sentBytes: Readonly<Record<Direction, number>>
  /** Whether neither side has anything left of it. */
  readonly isClosed: boolean
}

export interface FaultProxyOptions {
  /** For delays. Default: the real one. */
  readonly clock?: Clock | undefined
}

/** Where the server is. */
interface Place {
  readonly host: string
  readonly port: number
}

/**
 * @example
 * // The byte behind the answer to SSLRequest has a bit flipped.
 * const plan = [{ direction: 'toClient', at: 1, do: 'flip', mask: 0x01 }] as const
 * await using proxy = await FaultProxy.listen({ host: '127.0.0.1', port: 5432 }, [plan])
 * await connect({ host: proxy.host, port: proxy.port, user: 'app', sslmode: 'require' }) // rejects
 * proxy.connections[0].done // what of the plan came about
 */
export class FaultProxy implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #server: Server
  readonly #deadline: Deadline
  readonly #connections: Connection[] = []
  #isDisposed = false

  private constructor(server: Server, deadline: Deadline) {
    this.#server = server
    this.#deadline = deadline
    this.port = (server.address() as AddressInfo).port
  }

  /** The n-th connection meets the n-th plan; those behind the last plan pass unharmed. Throws RangeError for a plan that says nothing. */
  static async listen(
    target: Place,
    plans: readonly FaultPlan[],
    { clock }: FaultProxyOptions = {},
  ): Promise<FaultProxy> {
    for (const fault of plans.flat()) refuseUnlawful(fault)
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new FaultProxy(server, new Deadline({ clock }))
    server.on('connection', (client) => {
      // It was on its way when the proxy was told to go.
      if (proxy.#isDisposed) {
        client.destroy()
        return
      }
      const plan = plans[proxy.#connections.length] ?? []
      const peer = connect({ ...target, allowHalfOpen: true, noDelay: true })
      proxy.#connections.push(new Connection(client, peer, plan, proxy.#deadline))
    })
    return proxy
  }

  /** Every connection so far, in order. */
  get connections(): readonly ProxiedConnection[] {
    return this.#connections.map((connection) => connection.report())
  }

  /** Settles once every connection so far is closed on both sides. */
  async settled(): Promise<void> {
    await Promise.all(this.#connections.map(({ closed }) => closed))
  }

  /** Ends everything, and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    this.#deadline[Symbol.dispose]()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of this.#connections) connection.destroy()
    await this.settled()
    await closed
  }
}

function refuseUnlawful(fault: StreamFault): void {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
  const isLawful =
    isCount(fault.at) &&
    (fault.do !== 'flip' || (isCount(fault.mask) && fault.mask >= 1 && fault.mask <= 255)) &&
    (fault.do !== 'delay' || isCount(fault.delayMs)) &&
    ((fault.do !== 'drop' && fault.do !== 'repeat') || isCount(fault.count)) &&
    (fault.do !== 'inject' || /^(?:[\da-f]{2})*$/i.test(fault.hex))
  if (!isLawful) throw new RangeError(`a plan cannot say ${JSON.stringify(fault)}`)
}

class Connection {
  /** Settles once both sides are closed. */
  readonly closed: Promise<void>
  readonly #client: Socket
  readonly #peer: Socket
  readonly #plan: FaultPlan
  readonly #done: StreamFault[] = []
  readonly #toServer: Stream
  readonly #toClient: Stream
  #isClosed = false

  constructor(client: Socket, peer: Socket, plan: FaultPlan, deadline: Deadline) {
    this.#client = client
    this.#peer = peer
    this.#plan = plan
    const open = (direction: Direction, source: Socket, target: Socket) => {
      const faults = plan.filter((fault) => fault.direction === direction).sort((a, b) => a.at - b.at)
      const onFault = (fault: StreamFault) => this.#perform(fault)
      return new Stream({ source, target, faults, deadline, onFault, onEnd: (isBroken) => this.#finish(isBroken) })
    }
    this.#toServer = open('toServer', client, peer)
    this.#toClient = open('toClient', peer, client)
    this.closed = Promise.all([closeOf(client), closeOf(peer)]).then(() => {
      this.#isClosed = true
    })
    // A client that has left altogether has no use for the rest, and its server shall not wait for it.
    client.once('close', () => this.destroy())
    peer.once('close', () => this.#toClient.break())
    void this.#toServer.run()
    void this.#toClient.run()
  }

  report(): ProxiedConnection {
    return {
      plan: this.#plan,
      done: [...this.#done],
      receivedBytes: { toServer: this.#toServer.receivedBytes, toClient: this.#toClient.receivedBytes },
      sentBytes: { toServer: this.#toServer.sentBytes, toClient: this.#toClient.sentBytes },
      isClosed: this.#isClosed,
    }
  }

  destroy(): void {
    this.#client.destroy()
    this.#peer.destroy()
  }

  /** Of what a stream does, the part that concerns both. */
  #perform(fault: StreamFault): void {
    this.#done.push(fault)
    if (fault.do === 'cut') {
      this.#toServer.end()
      this.#toClient.end()
    } else if (fault.do === 'reset') this.#reset()
  }

  /** One direction has come to its end. */
  #finish(isBroken: boolean): void {
    if (isBroken) this.#reset()
    // The end of a client of which its server is not told would leave that waiting.
    else if (this.#toServer.isOver && (this.#toServer.isSwallowing || this.#toClient.isOver)) {
      this.#client.destroySoon()
      this.#peer.destroySoon()
    }
  }

  #reset(): void {
    reset(this.#client)
    reset(this.#peer)
  }
}

/** libuv refuses a RST while a FIN is on its way out (EINVAL), and Node then never says 'close'. */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}

function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** Received bytes that may wait in a stream; above it, its source is paused. */
const QUEUED_BYTES_MAX = 256 * 1024
/** What a stream remembers of what it has passed on. */
const REMEMBERED_BYTES = 4_096

interface StreamOptions {
  readonly source: Socket
  readonly target: Socket
  /** Those of this direction, by their bytes. */
  readonly faults: readonly StreamFault[]
  readonly deadline: Deadline
  readonly onFault: (fault: StreamFault) => void
  /** `isBroken` if the source went without a word, and its target may know. */
  readonly onEnd: (isBroken: boolean) => void
}

/** One direction of one connection. */
class Stream {
  receivedBytes = 0
  sentBytes = 0
  /** Nothing comes any more. */
  isOver = false
  /** What still comes is dropped, the end included. */
  isSwallowing = false
  readonly #options: StreamOptions
  readonly #queue: Buffer[] = []
  #queuedBytes = 0
  #end: 'none' | 'orderly' | 'broken' = 'none'
  #wake = () => {}
  #remembered: Buffer = Buffer.alloc(0)
  #flipMask = 0
  #dropBytes = 0

  constructor(options: StreamOptions) {
    this.#options = options
    const { source } = options
    // 'close' follows, and tells the connection.
    source.on('error', () => {})
    source.on('end', () => this.#stop('orderly'))
    source.on('data', (chunk: Buffer) => {
      this.#queue.push(chunk)
      this.#queuedBytes += chunk.length
      if (this.#queuedBytes > QUEUED_BYTES_MAX) source.pause()
      this.#wake()
    })
  }

  /** The source is gone, and if it has not said so, then without a word. */
  break(): void {
    if (this.#end === 'none') this.#stop('broken')
  }

  /** Nothing more is passed on. */
  end(): void {
    this.isSwallowing = true
    this.#options.target.end()
  }

  /** Passes on what comes, and does what is planned, until nothing comes any more. */
  async run(): Promise<void> {
    const faults = [...this.#options.faults]
    let next = faults.shift()
    for (;;) {
      while (next !== undefined && next.at <= this.receivedBytes && !this.isSwallowing) {
        await this.#perform(next)
        next = faults.shift()
      }
      const bytes = await this.#take(next === undefined ? Number.POSITIVE_INFINITY : next.at - this.receivedBytes)
      if (bytes === null) break
      this.receivedBytes += bytes.length
      await this.#pass(bytes)
    }
    const isBroken = this.#end === 'broken' && !this.isSwallowing
    if (!this.isSwallowing && !isBroken) this.#options.target.end()
    this.isOver = true
    this.#options.onEnd(isBroken)
  }

  async #perform(fault: StreamFault): Promise<void> {
    const { deadline, onFault } = this.#options
    onFault(fault)
    switch (fault.do) {
      case 'split':
        return pause(deadline, 1)
      case 'delay':
        return pause(deadline, fault.delayMs)
      case 'flip':
        this.#flipMask ^= fault.mask
        return
      case 'drop':
        this.#dropBytes += fault.count
        return
      case 'repeat':
        return this.#send(this.#remembered.subarray(Math.max(0, this.#remembered.length - fault.count)))
      case 'inject':
        return this.#send(Buffer.from(fault.hex, 'hex'))
      case 'stall':
        this.isSwallowing = true
        return
      case 'halfClose':
        return this.end()
      case 'cut':
      case 'reset':
        // The connection has done it, to both directions.
        return
    }
  }

  /** The next bytes, `lengthMax` at most; null at the end. */
  async #take(lengthMax: number): Promise<Buffer | null> {
    while (this.#queue.length === 0 && this.#end === 'none') {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const chunk = this.#queue.shift()
    if (chunk === undefined) return null
    const taken = this.isSwallowing ? chunk : chunk.subarray(0, lengthMax)
    if (taken.length < chunk.length) this.#queue.unshift(chunk.subarray(taken.length))
    this.#queuedBytes -= taken.length
    if (this.#queuedBytes <= QUEUED_BYTES_MAX) this.#options.source.resume()
    return taken
  }

  async #pass(bytes: Buffer): Promise<void> {
    const flipped = Buffer.from(bytes)
    flipped[0] = (flipped[0] ?? 0) ^ this.#flipMask
    this.#flipMask = 0
    const dropped = Math.min(this.#dropBytes, flipped.length)
    this.#dropBytes -= dropped
    return this.#send(flipped.subarray(dropped))
  }

  /** Settles once the kernel has it, or nobody wants it any more. */
  async #send(bytes: Buffer): Promise<void> {
    if (this.isSwallowing || bytes.length === 0) return
    this.sentBytes += bytes.length
    this.#remembered = Buffer.concat([this.#remembered, bytes]).subarray(-REMEMBERED_BYTES)
    await new Promise<void>((resolve) => this.#options.target.write(bytes, () => resolve()))
  }

  #stop(how: 'orderly' | 'broken'): void {
    this.#end = how
    this.#wake()
  }
}

function pause(deadline: Deadline, delayMs: number): Promise<void> {
  return new Promise((resolve) => deadline.after(delayMs, resolve))
}

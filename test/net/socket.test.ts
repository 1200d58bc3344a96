import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadline } from '../../src/net/deadline.ts'
import { openSocket } from '../../src/net/socket.ts'
import { type Transport, TransportError } from '../../src/net/transport.ts'
import { handOver, NO_PROBES, receive } from '../support/transport.ts'
import { Listener } from './listener.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from './resources.ts'

const REASON = new Error('enough')
const MEBIBYTE = 1024 * 1024

let before: string[]
let listener: Listener
let peer: Socket
let transport: Transport
/** The socket behind the transport, as Node itself reports it: to look at, not to touch. */
let socket: Socket
let closed: boolean
const warnings: Error[] = []
const onWarning = (warning: Error) => warnings.push(warning)
const onSocket = (message: unknown) => {
  socket = (message as { socket: Socket }).socket
  closed = false
  socket.once('close', () => {
    closed = true
  })
}

beforeEach(async () => {
  before = openResources()
  process.on('warning', onWarning)
  subscribe('net.client.socket', onSocket)
  listener = await Listener.tcp()
  transport = await openSocket({ host: '127.0.0.1', port: listener.port }, NO_PROBES, new Deadline())
  peer = await listener.accept()
  unsubscribe('net.client.socket', onSocket)
})

/** After every test of this file: no socket is open, Node has complained of nothing. */
afterEach(async () => {
  transport.destroy()
  await listener[Symbol.asyncDispose]()
  await expectNoMoreThan(before)
  process.off('warning', onWarning)
  expect(warnings.splice(0)).toEqual([])
})

/** Everything that comes until the end of the stream, and how it ended. */
async function readAll(): Promise<{ bytes: Buffer; end: TransportError | null }> {
  const chunks: Buffer[] = []
  try {
    for (;;) {
      const chunk = await receive(transport)
      if (chunk === null) return { bytes: Buffer.concat(chunks), end: null }
      chunks.push(chunk)
    }
  } catch (error) {
    if (!(error instanceof TransportError)) throw error
    return { bytes: Buffer.concat(chunks), end: error }
  }
}

/** Bytes of which no two places look alike. */
function pattern(lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes)
  for (let at = 0; at + 4 <= lengthBytes; at += 4) bytes.writeUInt32BE(at, at)
  return bytes
}

/** Until it has not moved for many turns of the event loop, in which both ends of the connection have had their say. */
async function untilStill(measure: () => number): Promise<number> {
  let last = measure()
  for (let stillTurns = 0; stillTurns < 100; stillTurns += 1) {
    await turn()
    if (measure() !== last) stillTurns = 0
    last = measure()
  }
  return last
}

describe('a socket', () => {
  it('is not even made once the deadline has ended', async () => {
    using over = new Deadline({ signal: AbortSignal.abort(REASON) })
    let made = 0
    const count = () => {
      made += 1
    }
    subscribe('net.client.socket', count)
    try {
      const opening = openSocket({ host: '127.0.0.1', port: listener.port }, NO_PROBES, over)
      await expect(opening).rejects.toBe(REASON)
    } finally {
      unsubscribe('net.client.socket', count)
    }
    expect(made).toBe(0)
  })

  it('is opened without a race or a timer of Node’s own, and probed as is wanted', async () => {
    const connecting = vi.spyOn(Socket.prototype, 'connect')
    try {
      const to = { host: '127.0.0.1', port: listener.port, family: 4 }
      const other = await openSocket(to, { keepAlive: true, keepAliveIdleMs: 30_000 }, new Deadline())
      other.destroy()
      // net.connect hands on the options in an array.
      const [[options]] = connecting.mock.calls[0] as unknown as [[object]]
      const probes = { keepAlive: true, keepAliveInitialDelay: 30_000 }
      expect(options).toMatchObject({ ...to, ...probes, autoSelectFamily: false, noDelay: true })
    } finally {
      connecting.mockRestore()
    }
  })
})

describe('what is read', () => {
  it('is a copy of its own, and nothing of it is left in the buffer that all connections share', async () => {
    const connecting = vi.spyOn(Socket.prototype, 'connect')
    try {
      const other = await openSocket({ host: '127.0.0.1', port: listener.port }, NO_PROBES, new Deadline())
      const [[options]] = connecting.mock.calls[0] as unknown as [[{ onread: { buffer: Buffer } }]]
      const sender = await listener.accept()
      sender.write('a secret')
      const chunk = await receive(other)
      expect(String(chunk)).toBe('a secret')
      expect(chunk?.buffer.byteLength).toBe(chunk?.length)
      expect(options.onread.buffer.every((byte) => byte === 0)).toBe(true)
      other.destroy()
    } finally {
      connecting.mockRestore()
    }
  })

  it('comes in order, and after the peer has ended its side there is null, again and again', async () => {
    const bytes = pattern(MEBIBYTE)
    for (let at = 0; at < bytes.length; at += 10_007) peer.write(bytes.subarray(at, at + 10_007))
    peer.end()
    const received = await readAll()
    expect(received.end).toBeNull()
    expect(received.bytes.equals(bytes)).toBe(true)
    await untilTrue(() => closed, 'the socket is closed on our side, too')
    await expect(receive(transport)).resolves.toBeNull()
    transport.destroy()
    await expect(receive(transport)).resolves.toBeNull()
  })

  it('comes before the news that the connection was reset', async () => {
    peer.write('the reason')
    await untilStill(() => socket.bytesRead)
    peer.resetAndDestroy()
    await untilTrue(() => socket.destroyed, 'the reset has arrived')
    const { bytes, end } = await readAll()
    expect(bytes.toString()).toBe('the reason')
    expect(end).toMatchObject({ code: 'ECONNRESET', message: 'read ECONNRESET' })
    await expect(receive(transport)).rejects.toBe(end)
  })

  it('comes before the news of the reset even if both arrive together', async () => {
    peer.write('the reason')
    peer.resetAndDestroy()
    const { bytes, end } = await readAll()
    expect(bytes.toString()).toBe('the reason')
    // Some kernels, asked for more, report the reset, and others an end of the stream.
    expect(end?.code ?? 'FIN').toMatch(/^(ECONNRESET|FIN)$/)
  })

  it('is what the server said before it hung up, though we went on writing', async () => {
    peer.end('the reason')
    await turn()
    transport.write(Buffer.from('too late'))
    const { bytes } = await readAll()
    expect(bytes.toString()).toBe('the reason')
  })

  it('does not wait for more than there is: a byte at a time is delivered a byte at a time', async () => {
    for (const byte of 'RSZ') {
      peer.write(byte)
      await expect(receive(transport)).resolves.toEqual(Buffer.from(byte))
    }
  })

  it('was asked for: of a flood that nobody reads, no more is held than one buffer, and then it flows again', async () => {
    const flood = pattern(32 * MEBIBYTE)
    peer.end(flood)
    const held = await untilStill(() => socket.bytesRead)
    // What our queue may hold, one chunk that passes the bound, and what Node's stream reads ahead.
    expect(held).toBeGreaterThanOrEqual(256 * 1024)
    expect(held).toBeLessThanOrEqual(256 * 1024 + 2 * 64 * 1024 + socket.readableHighWaterMark)
    expect(socket.isPaused()).toBe(true)
    expect(peer.writableLength).toBeGreaterThan(0)

    const { bytes, end } = await readAll()
    expect(end).toBeNull()
    expect(bytes.equals(flood)).toBe(true)
  })
})

describe('what is written', () => {
  it('arrives in order', async () => {
    const bytes = pattern(MEBIBYTE)
    const arriving = (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of peer) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks)
    })()
    for (let at = 0; at < bytes.length; at += 100_003) {
      await handOver(transport, bytes.subarray(at, at + 100_003))
    }
    await untilTrue(() => socket.writableLength === 0, 'all is handed over')
    transport.destroy()
    expect((await arriving).equals(bytes)).toBe(true)
  })

  it('waits for a peer that does not read, and goes on when it does', async () => {
    let settled = false
    const writing = handOver(transport, pattern(16 * MEBIBYTE)).then(() => {
      settled = true
    })
    await untilStill(() => socket.writableLength)
    expect(settled).toBe(false)
    peer.resume()
    await writing
    expect(socket.writableLength).toBe(0)
  })

  it('on a broken connection is no error of the writer: the reader meets it', async () => {
    peer.resetAndDestroy()
    await untilTrue(() => peer.closed, 'the peer is gone')
    for (let writes = 0; writes < 5; writes += 1) {
      await handOver(transport, Buffer.from('x'))
      await turn()
    }
    const { end } = await readAll()
    expect(end?.code).toMatch(/^(ECONNRESET|EPIPE)$/)
  })

  it('and waits is told when the connection breaks', async () => {
    const writing = handOver(transport, pattern(16 * MEBIBYTE))
    await untilStill(() => socket.writableLength)
    peer.resetAndDestroy()
    await expect(writing).resolves.toBeUndefined()
    const { end } = await readAll()
    expect(end?.code).toMatch(/^(ECONNRESET|EPIPE)$/)
  })
})

describe('a transport that is let go', () => {
  it('wakes who reads', async () => {
    const reading = receive(transport)
    transport.destroy()
    await expect(reading).rejects.toMatchObject({ name: 'TransportError', code: 'ECLOSED' })
    await expect(receive(transport)).rejects.toMatchObject({ code: 'ECLOSED' })
  })

  it('wakes who writes', async () => {
    const writing = handOver(transport, pattern(16 * MEBIBYTE))
    await untilStill(() => socket.writableLength)
    transport.destroy()
    await expect(writing).resolves.toBeUndefined()
    await expect(handOver(transport, Buffer.from('x'))).resolves.toBeUndefined()
  })

  it('may be let go as often as one likes', async () => {
    for (let times = 0; times < 20; times += 1) transport.destroy()
    await once(peer.resume(), 'close')
    transport.destroy()
    expect(socket.listenerCount('error')).toBeLessThanOrEqual(2)
  })

  it('is gone for the peer, whatever was still to be read or written', async () => {
    peer.write(pattern(MEBIBYTE))
    await untilStill(() => socket.bytesRead)
    transport.write(pattern(16 * MEBIBYTE))
    transport.destroy()
    peer.resume()
    await untilTrue(() => listener.connections === 0, 'the peer has seen the end')
  })
})

describe('TLS', () => {
  const options = { host: 'db.example', sendServerName: true, verify: 'nothing', node: {} } as const

  it('does not begin for a caller who is gone, who hears of nothing else', async () => {
    peer.write('SZ')
    await untilTrue(() => socket.bytesRead === 2, 'two bytes arrive')
    await expect(transport.startTls(options, AbortSignal.abort(REASON))).rejects.toBe(REASON)
  })

  it('does not begin over bytes that came in plaintext and were not read (CVE-2021-23222)', async () => {
    peer.write('SZ')
    await untilTrue(() => socket.bytesRead === 2, 'two bytes arrive')
    await expect(transport.startTls(options, new AbortController().signal)).rejects.toMatchObject({
      failure: { kind: 'misbehaved', received: '2 bytes in plaintext' },
    })
  })

  it('does not begin over a connection that is broken: it says so at once', async () => {
    peer.resetAndDestroy()
    await untilTrue(() => closed, 'the socket is closed')
    await expect(transport.startTls(options, new AbortController().signal)).rejects.toBeInstanceOf(TransportError)
  })
})

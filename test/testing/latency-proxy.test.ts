import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { LatencyProxy, type LatencyProxyOptions } from '../../src/testing/index.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    await once(server, 'close')
  }
})

/** A server that says back what it hears, and the sockets that it has. */
async function echo(): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, sockets }
}

async function pathTo(port: number, options: LatencyProxyOptions): Promise<{ proxy: LatencyProxy; client: Socket }> {
  const proxy = await LatencyProxy.listen({ host: '127.0.0.1', port }, options)
  const client = connect({ host: proxy.host, port: proxy.port, noDelay: true })
  client.on('error', () => {})
  await once(client, 'connect')
  return { proxy, client }
}

const eventually = async (condition: () => boolean) => {
  for (let tries = 0; tries < 500 && !condition(); tries += 1) await sleep(2)
  expect(condition()).toBe(true)
}

/** Let time pass until the sockets of this process have brought what they can. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  await sleep(20)
  clock.advance(ms)
  await sleep(20)
}

describe('a path that takes its time', () => {
  it('holds bytes back for half a round trip each way', async () => {
    const { port } = await echo()
    const clock = new VirtualClock()
    const { proxy, client } = await pathTo(port, { roundTripMs: 40, clock })
    const heard: string[] = []
    client.on('data', (chunk) => heard.push(String(chunk)))
    client.write('a')
    await pass(clock, 19)
    await pass(clock, 1)
    await pass(clock, 19)
    expect(heard).toEqual([])
    await pass(clock, 1)
    expect(heard).toEqual(['a'])
    client.destroy()
    await proxy[Symbol.asyncDispose]()
    expect(clock.activeTimers).toBe(0)
  })

  it('counts what the client says until it hears something as one flight', async () => {
    const { port } = await echo()
    await using proxy = await LatencyProxy.listen({ host: '127.0.0.1', port }, { roundTripMs: 4 })
    const client = connect({ host: proxy.host, port: proxy.port, noDelay: true })
    client.write('a')
    await once(client, 'data')
    client.write('b')
    client.write('c')
    await once(client, 'data')
    await sleep(20)
    expect(proxy.connections).toEqual([{ roundTrips: 2, isClosed: false }])
    // What nobody answers is no round trip.
    client.end()
    await eventually(() => proxy.connections[0]?.isClosed === true)
    expect(proxy.connections[0]?.roundTrips).toBe(2)
  })

  it('counts each connection by itself, and keeps the order of bytes in spite of jitter', async () => {
    const { port } = await echo()
    await using proxy = await LatencyProxy.listen(
      { host: '127.0.0.1', port },
      { roundTripMs: 10, jitterMs: 10, seed: 3 },
    )
    const clients = [0, 1].map(() => connect({ host: proxy.host, port: proxy.port, noDelay: true }))
    const heard = clients.map((client) => {
      const chunks: Buffer[] = []
      client.on('data', (chunk: Buffer) => chunks.push(chunk))
      return chunks
    })
    const said = Array.from({ length: 50 }, (_, index) => `${index},`)
    for (const one of said) {
      clients[0]?.write(one)
      await sleep(1)
    }
    await eventually(() => Buffer.concat(heard[0] ?? []).toString() === said.join(''))
    expect(proxy.connections[0]?.roundTrips).toBeGreaterThan(1)
    expect(proxy.connections[1]?.roundTrips).toBe(0)
    for (const client of clients) client.destroy()
  })

  it('takes what is seeded: the same seed, the same delays, and within the jitter', async () => {
    const delaysWith = async (seed: number) => {
      const { port } = await echo()
      const delays: number[] = []
      const clock = new VirtualClock()
      const set = clock.setTimer.bind(clock)
      const watched = Object.assign(Object.create(clock) as VirtualClock, {
        now: clock.now,
        setTimer: (callback: () => void, delayMs: number) => {
          delays.push(delayMs)
          return set(callback, delayMs)
        },
      })
      const { proxy, client } = await pathTo(port, { roundTripMs: 40, jitterMs: 8, seed, clock: watched })
      for (const one of ['a', 'b', 'c', 'd']) {
        client.write(one)
        await pass(clock, 100)
        await pass(clock, 100)
      }
      client.destroy()
      await proxy[Symbol.asyncDispose]()
      return delays.slice(0, 8)
    }
    const delays = await delaysWith(7)
    expect(delays).toHaveLength(8)
    expect(new Set(delays).size).toBe(8)
    for (const delayMs of delays) {
      expect(delayMs).toBeGreaterThanOrEqual(16)
      expect(delayMs).toBeLessThanOrEqual(24)
    }
    expect(await delaysWith(7)).toEqual(delays)
    expect(await delaysWith(8)).not.toEqual(delays)
  })

  it('passes on an end in order, and a break', async () => {
    const { port, sockets } = await echo()
    await using proxy = await LatencyProxy.listen({ host: '127.0.0.1', port }, { roundTripMs: 4 })
    const polite = connect({ host: proxy.host, port: proxy.port })
    const heard: Buffer[] = []
    polite.on('data', (chunk: Buffer) => heard.push(chunk))
    polite.end('last words')
    await once(polite, 'close')
    expect(Buffer.concat(heard).toString()).toBe('last words')

    const broken = connect({ host: proxy.host, port: proxy.port })
    broken.on('error', () => {})
    broken.write('a')
    await once(broken, 'data')
    const code = new Promise((resolve) =>
      sockets[1]?.once('error', (error) => resolve((error as NodeJS.ErrnoException).code)),
    )
    broken.resetAndDestroy()
    expect(await code).toBe('ECONNRESET')
    await eventually(() => proxy.connections.every(({ isClosed }) => isClosed))
  })

  it('carries more than it lets be under way', async () => {
    const { port } = await echo()
    await using proxy = await LatencyProxy.listen({ host: '127.0.0.1', port }, { roundTripMs: 6 })
    const client = connect({ host: proxy.host, port: proxy.port })
    const sent = Buffer.alloc(5 * 1024 * 1024, 'abc')
    const heard: Buffer[] = []
    client.on('data', (chunk: Buffer) => heard.push(chunk))
    client.end(sent)
    await once(client, 'end')
    expect(Buffer.concat(heard).equals(sent)).toBe(true)
  })

  it('ends the connection of a client where it leads nowhere', async () => {
    const { port } = await echo()
    const [server] = servers.splice(0)
    server?.close()
    await using proxy = await LatencyProxy.listen({ host: '127.0.0.1', port }, { roundTripMs: 2 })
    const client = connect({ host: proxy.host, port: proxy.port })
    client.on('error', () => {})
    await new Promise((resolve) => client.once('close', resolve))
    expect(proxy.connections[0]?.roundTrips).toBe(0)
  })

  it('leaves nothing behind: connections, timers, the port', async () => {
    const { port, sockets } = await echo()
    const clock = new VirtualClock()
    const { proxy, client } = await pathTo(port, { roundTripMs: 40, clock })
    client.write('a')
    await sleep(20)
    expect(clock.activeTimers).toBe(1)
    const gone = once(client, 'close')
    await proxy[Symbol.asyncDispose]()
    await gone
    await sleep(20)
    expect(clock.activeTimers).toBe(0)
    await eventually(() => sockets.every(({ closed }) => closed))
    const refused = connect({ host: proxy.host, port: proxy.port })
    const [error] = await once(refused, 'error').catch((reason: unknown) => [reason])
    expect((error as NodeJS.ErrnoException).code).toBe('ECONNREFUSED')
  })

  it.each([
    { roundTripMs: -1 },
    { roundTripMs: Number.NaN },
    { roundTripMs: 60_001 },
    { roundTripMs: 10, jitterMs: 11 },
    { jitterMs: -1 },
    { seed: 0.5 },
  ])('is not made of %j', async (options) => {
    await expect(LatencyProxy.listen({ host: '127.0.0.1', port: 1 }, options)).rejects.toThrow(RangeError)
  })
})

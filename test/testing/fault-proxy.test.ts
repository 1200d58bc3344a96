/** The fault proxy, held against a plain TCP server: what it does to bytes, to the ends of a connection, and to time. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FaultPlan, FaultProxy, type StreamFault } from '../../src/testing/index.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from '../net/resources.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

/** Says what it was told, in capital letters; its end follows its client's. */
let server: Server
let place: { host: string; port: number }
const served: Socket[] = []

beforeAll(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => socket.write(chunk.toString('latin1').toUpperCase(), 'latin1'))
    socket.on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  place = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
})

afterAll(() => server.close())

interface Client {
  readonly socket: Socket
  readonly chunks: string[]
  readonly ends: string[]
}

function dial(proxy: FaultProxy): Client {
  const socket = connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true, noDelay: true })
  const client: Client = { socket, chunks: [], ends: [] }
  socket.on('data', (chunk) => client.chunks.push(chunk.toString('latin1')))
  socket.on('end', () => client.ends.push('FIN'))
  socket.on('error', (error: NodeJS.ErrnoException) => client.ends.push(String(error.code)))
  return client
}

/** Says `text` and its end, through one connection with this plan. */
async function converse(plan: FaultPlan, text = 'abcdef') {
  const before = openResources()
  const proxy = await FaultProxy.listen(place, [plan])
  const client = dial(proxy)
  client.socket.end(text, 'latin1')
  await untilTrue(() => client.ends.length > 0, 'the client hears an end')
  await proxy.settled()
  const [connection] = proxy.connections
  await proxy[Symbol.asyncDispose]()
  client.socket.destroy()
  await expectNoMoreThan(before)
  return { heard: client.chunks.join(''), ends: client.ends, connection }
}

const toServer = { direction: 'toServer' } as const
const toClient = { direction: 'toClient' } as const

describe('what a fault does to the bytes', () => {
  it.each<[string, FaultPlan, string]>([
    ['nothing, without a plan', [], 'ABCDEF'],
    // 'c' is 0x63; 0x63 ^ 0x02 is 0x61, 'a'.
    ['a bit flipped on the way there', [{ ...toServer, at: 2, do: 'flip', mask: 0x02 }], 'ABADEF'],
    // 'A' is 0x41; 0x41 ^ 0x20 is 0x61, 'a'.
    ['a bit flipped on the way back', [{ ...toClient, at: 0, do: 'flip', mask: 0x20 }], 'aBCDEF'],
    ['bytes dropped', [{ ...toServer, at: 1, do: 'drop', count: 2 }], 'ADEF'],
    ['bytes repeated', [{ ...toServer, at: 3, do: 'repeat', count: 2 }], 'ABCBCDEF'],
    ['nothing repeated', [{ ...toServer, at: 3, do: 'repeat', count: 0 }], 'ABCDEF'],
    ['more repeated than there was', [{ ...toServer, at: 3, do: 'repeat', count: 99 }], 'ABCABCDEF'],
    ['bytes injected before the first', [{ ...toServer, at: 0, do: 'inject', hex: '7879' }], 'XYABCDEF'],
    ['bytes injected behind the last', [{ ...toClient, at: 6, do: 'inject', hex: '2e' }], 'ABCDEF.'],
    [
      'two at the same byte, in the order of the plan',
      [
        { ...toServer, at: 2, do: 'inject', hex: '31' },
        { ...toServer, at: 2, do: 'inject', hex: '32' },
      ],
      'AB12CDEF',
    ],
    [
      'two in the wrong order',
      [
        { ...toServer, at: 4, do: 'inject', hex: '34' },
        { ...toServer, at: 1, do: 'inject', hex: '31' },
      ],
      'A1BCD4EF',
    ],
  ])('%s', async (_name, plan, heard) => {
    const outcome = await converse(plan)
    expect(outcome.heard).toBe(heard)
    expect(outcome.ends).toEqual(['FIN'])
    expect(outcome.connection).toMatchObject({ plan, isClosed: true, receivedBytes: { toServer: 6 } })
    expect(outcome.connection?.done).toHaveLength(plan.length)
    expect(outcome.connection?.sentBytes.toClient).toBe(heard.length)
  })

  it('what lies behind bytes that never came is not done', async () => {
    const outcome = await converse([{ ...toServer, at: 7, do: 'inject', hex: '2e' }])
    expect(outcome).toMatchObject({ heard: 'ABCDEF', connection: { done: [] } })
  })
})

describe('what a fault does to the connection', () => {
  it.each<[string, FaultPlan, string, string]>([
    ['a FIN towards the client', [{ ...toClient, at: 3, do: 'halfClose' }], 'ABC', 'FIN'],
    ['a FIN towards the server, who answers what came before', [{ ...toServer, at: 3, do: 'halfClose' }], 'ABC', 'FIN'],
    ['a FIN both ways', [{ ...toClient, at: 3, do: 'cut' }], 'ABC', 'FIN'],
    // libuv reports data and a RST that come together as data and an orderly end: hence the split.
    [
      'a RST both ways',
      [
        { ...toClient, at: 3, do: 'split' },
        { ...toClient, at: 3, do: 'reset' },
      ],
      'ABC',
      'ECONNRESET',
    ],
    ['a RST before anything', [{ ...toServer, at: 0, do: 'reset' }], '', 'ECONNRESET'],
  ])('%s', async (_name, plan, heard, end) => {
    await using proxy = await FaultProxy.listen(place, [plan])
    const client = dial(proxy)
    client.socket.write('abcdef')
    await untilTrue(() => client.ends.length > 0, 'the client hears an end')
    expect(client.chunks.join('')).toBe(heard)
    expect(client.ends).toEqual([end])
    client.socket.destroy()
    await proxy.settled()
    expect(proxy.connections).toMatchObject([{ done: plan, isClosed: true }])
    await untilTrue(() => served.at(-1)?.destroyed === true, 'the server is rid of it')
  })

  it.each(['toServer', 'toClient'] as const)('a stall %s lasts until the client leaves', async (direction) => {
    await using proxy = await FaultProxy.listen(place, [[{ direction, at: 3, do: 'stall' }]])
    const client = dial(proxy)
    client.socket.write('abc')
    await untilTrue(() => client.chunks.join('') === 'ABC', 'what came before the stall is there')
    client.socket.write('def')
    await untilTrue(() => proxy.connections[0]?.receivedBytes.toServer === 6, 'the proxy has the rest')
    if (direction === 'toClient') served.at(-1)?.end()
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(client).toMatchObject({ chunks: ['ABC'], ends: [] })
    expect(proxy.connections[0]?.isClosed).toBe(false)
    client.socket.destroy()
    await proxy.settled()
    await untilTrue(() => served.at(-1)?.destroyed === true, 'the server is rid of it')
  })

  it('a server that breaks the connection breaks the client’s', async () => {
    await using proxy = await FaultProxy.listen(place, [])
    const client = dial(proxy)
    client.socket.write('abc')
    await untilTrue(() => client.chunks.length > 0, 'the server is reached')
    served.at(-1)?.resetAndDestroy()
    await untilTrue(() => client.ends.length > 0, 'the client hears of it')
    expect(client.ends).toEqual(['ECONNRESET'])
  })

  it('a server that is not there resets the client', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    await using proxy = await FaultProxy.listen({ host: '127.0.0.1', port }, [])
    const client = dial(proxy)
    await untilTrue(() => client.ends.length > 0, 'the client hears of it')
    expect(client.ends).toEqual(['ECONNRESET'])
    await proxy.settled()
  })
})

describe('what a fault does to time', () => {
  it('a delay holds back what is behind it, and only that', async () => {
    const clock = new VirtualClock()
    await using proxy = await FaultProxy.listen(place, [[{ ...toClient, at: 3, do: 'delay', delayMs: 500 }]], { clock })
    const client = dial(proxy)
    client.socket.end('abcdef')
    await untilTrue(() => proxy.connections[0]?.done.length === 1, 'the byte is reached')
    clock.advance(499)
    for (let turns = 0; turns < 20; turns += 1) await turn()
    expect(client).toMatchObject({ chunks: ['ABC'], ends: [] })
    clock.advance(1)
    await untilTrue(() => client.ends.length > 0, 'the rest comes')
    expect(client.chunks.join('')).toBe('ABCDEF')
    expect(clock.activeTimers).toBe(0)
    client.socket.destroy()
  })

  it('a split makes two pieces of one', async () => {
    const clock = new VirtualClock()
    await using proxy = await FaultProxy.listen(place, [[{ ...toClient, at: 2, do: 'split' }]], { clock })
    const client = dial(proxy)
    client.socket.write('abcdef')
    await untilTrue(() => client.chunks.length === 1, 'the first piece is there')
    expect(client.chunks).toEqual(['AB'])
    clock.advance(1)
    await untilTrue(() => client.chunks.length === 2, 'the second piece is there')
    expect(client.chunks).toEqual(['AB', 'CDEF'])
    client.socket.destroy()
  })

  it('a proxy that is disposed of leaves nothing, whatever it was waiting for', async () => {
    const before = openResources()
    const clock = new VirtualClock()
    const proxy = await FaultProxy.listen(place, [[{ ...toServer, at: 0, do: 'delay', delayMs: 500 }]], { clock })
    const client = dial(proxy)
    await untilTrue(() => proxy.connections[0]?.done.length === 1, 'it waits')
    await proxy[Symbol.asyncDispose]()
    await untilTrue(() => client.ends.length > 0, 'the client hears of it')
    client.socket.destroy()
    expect(clock.activeTimers).toBe(0)
    await expectNoMoreThan(before)
  })
})

it('each connection has its own plan, and those behind the last have none', async () => {
  const plans = [[{ ...toServer, at: 0, do: 'drop', count: 1 } as const], []]
  await using proxy = await FaultProxy.listen(place, plans)
  const heard: string[] = []
  for (let connection = 0; connection < 3; connection += 1) {
    const client = dial(proxy)
    client.socket.end('abc')
    await untilTrue(() => client.ends.length > 0, 'the client hears an end')
    client.socket.destroy()
    heard.push(client.chunks.join(''))
  }
  expect(heard).toEqual(['BC', 'ABC', 'ABC'])
})

it('what is larger than any buffer comes through whole', async () => {
  const text = 'x'.repeat(3_000_000)
  const outcome = await converse([{ ...toClient, at: 1_000_000, do: 'split' }], text)
  expect(outcome.heard === text.toUpperCase()).toBe(true)
})

it.each<StreamFault>([
  { ...toServer, at: -1, do: 'stall' },
  { ...toServer, at: 0, do: 'flip', mask: 256 },
  { ...toServer, at: 0, do: 'flip', mask: 0 },
  { ...toServer, at: 0, do: 'delay', delayMs: Number.NaN },
  { ...toServer, at: 0, do: 'drop', count: 0.5 },
  { ...toServer, at: 0, do: 'repeat', count: -1 },
  { ...toServer, at: 0, do: 'inject', hex: 'abc' },
])('a plan that means nothing is refused: $do', async (fault) => {
  await expect(FaultProxy.listen(place, [[fault]])).rejects.toThrow(RangeError)
})

it('a RST right behind a FIN, in the same turn of the event loop, ends the connection all the same', async () => {
  const plan: FaultPlan = [
    { ...toClient, at: 1, do: 'halfClose' },
    { ...toServer, at: 1, do: 'reset' },
  ]
  await using proxy = await FaultProxy.listen(place, [plan])
  const before = served.length
  const client = dial(proxy)
  await untilTrue(() => served.length > before, 'the server is reached')
  served.at(-1)?.write('y')
  client.socket.write('x')
  await untilTrue(() => proxy.connections[0]?.isClosed === true, 'both sides are closed')
  expect(proxy.connections[0]?.done).toEqual(plan)
  client.socket.destroy()
})

/** The proxy before bytes written by hand, and before a real server. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/index.ts'
import { Listener } from '../net/listener.ts'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import { startServer, type TestServer } from './server.ts'
import { StrippingProxy } from './stripping-proxy.ts'

const WITHHELD = ['in_hot_standby', 'default_transaction_read_only']

function hex(...lines: string[]): Buffer {
  return Buffer.from(lines.join('').replaceAll(' ', ''), 'hex')
}

const AUTHENTICATION_OK = hex('52 00000008 00000000')
// 'S', length 23, "in_hot_standby", "off"
const IN_HOT_STANDBY = hex('53 00000017 696e5f686f745f7374616e64627900 6f666600')
// 'S', length 15, "TimeZone", "E"
const TIME_ZONE = hex('53 0000000f 54696d655a6f6e6500 4500')
// 'Z', length 5, idle
const READY = hex('5a 00000005 49')

/** The next bytes, so many at least. */
function read(socket: Socket, lengthBytes: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let held = Buffer.alloc(0)
    socket.on('data', function take(chunk: Buffer) {
      held = Buffer.concat([held, chunk])
      if (held.length < lengthBytes) return
      socket.off('data', take)
      resolve(held)
    })
    socket.resume()
  })
}

describe('before bytes written by hand', () => {
  it.each([
    ['byte by byte', 1],
    ['all at once', 1_000],
  ])('it withholds what it is told to until ReadyForQuery, and nothing afterwards: %s', async (_name, sizeBytes) => {
    await using listener = await Listener.tcp()
    await using proxy = await StrippingProxy.listen({ host: '127.0.0.1', port: listener.port }, WITHHELD)
    const client = connectTcp({ host: proxy.host, port: proxy.port })
    const server = await listener.accept()
    const sent = Buffer.concat([AUTHENTICATION_OK, IN_HOT_STANDBY, TIME_ZONE, READY, IN_HOT_STANDBY])
    for (let at = 0; at < sent.length; at += sizeBytes) server.write(sent.subarray(at, at + sizeBytes))

    const passed = Buffer.concat([AUTHENTICATION_OK, TIME_ZONE, READY, IN_HOT_STANDBY])
    expect(await read(client, passed.length)).toEqual(passed)
    client.write('as it is')
    expect(await read(server, 8)).toEqual(Buffer.from('as it is'))
    client.destroy()
  })

  it.each(['the client', 'the server'])('the end of %s is the end of the other', async (who) => {
    const before = openResources()
    {
      await using listener = await Listener.tcp()
      await using proxy = await StrippingProxy.listen({ host: '127.0.0.1', port: listener.port }, WITHHELD)
      const client = connectTcp({ host: proxy.host, port: proxy.port })
      const server = await listener.accept()
      const [first, other] = who === 'the client' ? [client, server] : [server, client]
      const closed = once(other.resume(), 'close')
      first.destroy()
      await closed
    }
    await expectNoMoreThan(before)
  })
})

describe('before a server', () => {
  let server: TestServer
  let proxy: StrippingProxy

  beforeAll(async () => {
    server = await startServer()
    proxy = await StrippingProxy.listen(server, WITHHELD)
  })

  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await server?.stop()
  })

  it.each(['disable', 'prefer'])('a session opens without them (sslmode=%s)', async (sslmode) => {
    const to = new URL(server.url({ parameters: { sslmode } }))
    await using direct = await connect(to.href)
    to.port = String(proxy.port)
    await using session = await connect(to.href)

    const names = [...direct.parameters.keys()]
    expect(names).toEqual(expect.arrayContaining(WITHHELD))
    expect([...session.parameters.keys()]).toEqual(names.filter((name) => !WITHHELD.includes(name)))
    await session.query('set default_transaction_read_only = on')
    expect(session.parameters.get('default_transaction_read_only')).toBe('on')
  })
})

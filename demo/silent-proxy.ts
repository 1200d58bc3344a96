/**
 * A server that falls silent half-way, as the middle of a network can make any server do: a TCP proxy that passes on the
 * client's bytes and the server's first message, and from then on reads everything and says nothing, to either side.
 * It closes one side when the other closes, so a backend is left behind if, and only if, the client leaves its socket.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface SilentProxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Connections of clients that are open now. */
  readonly connections: number
}

const HOST = '127.0.0.1'

export async function startSilentProxy(server: { readonly host: string; readonly port: number }): Promise<SilentProxy> {
  const clients = new Set<Socket>()
  const proxy = createServer((client) => {
    clients.add(client)
    client.once('close', () => clients.delete(client))
    passOnFirstMessage(client, connect(server.port, server.host))
  })
  await new Promise<void>((resolve, reject) => {
    proxy.once('error', reject)
    proxy.listen(0, HOST, resolve)
  })

  return {
    host: HOST,
    port: (proxy.address() as AddressInfo).port,
    get connections() {
      return clients.size
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

function passOnFirstMessage(client: Socket, server: Socket): void {
  let received = Buffer.alloc(0)
  let isSilent = false

  client.on('data', (chunk) => {
    if (!isSilent) server.write(chunk)
  })
  server.on('data', (chunk) => {
    if (isSilent) return
    // A byte that says what it is, then a length that counts itself (#PROTOCOL-MESSAGE-CONCEPTS).
    received = Buffer.concat([received, chunk])
    if (received.length < 5) return
    const lengthBytes = 1 + received.readUInt32BE(1)
    if (received.length < lengthBytes) return
    client.write(received.subarray(0, lengthBytes))
    isSilent = true
  })

  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => {}) // 'close' follows.
    one.once('close', () => other.destroy())
  }
}

/** The two waits of whoever uses a transport, as the driver and the session have them. */
import type { KeepAlive } from '../../src/net/socket.ts'
import type { Transport } from '../../src/net/transport.ts'
import { Changes } from '../../src/net/until.ts'

export const NO_PROBES: KeepAlive = { keepAlive: false, keepAliveIdleMs: 0 }

/** Of a transport that is used from here: several may wait for it. */
const changes = new WeakMap<Transport, Changes>()

function changeOf(transport: Transport): Promise<null> {
  const known = changes.get(transport)
  if (known !== undefined) return known.next()
  const own = new Changes()
  changes.set(transport, own)
  transport.onChange(() => own.tell())
  return own.next()
}

/** The next bytes, or null once the peer has ended its side. Rejects with what `take` throws. */
export async function receive(transport: Transport): Promise<Buffer | null> {
  for (;;) {
    const taken = transport.take()
    if (taken === 'end') return null
    if (taken !== 'nothing yet') return taken
    await changeOf(transport)
  }
}

/** Settles when the transport can take more. */
export async function handOver(transport: Transport, bytes: Buffer): Promise<void> {
  transport.write(bytes)
  while (transport.isFull()) await changeOf(transport)
}

/** What a transport in memory has to give: the next piece that came, and once there is none, how it ended. */
export function takeFrom(pieces: Buffer[], end: 'FIN' | Error | null): ReturnType<Transport['take']> {
  const piece = pieces.shift()
  if (piece !== undefined) return piece
  if (end === 'FIN') return 'end'
  if (end !== null) throw end
  return 'nothing yet'
}

/** The same transport, but for what is changed. */
export function changeTransport(transport: Transport, changes: Partial<Transport>): Transport {
  return {
    remote: transport.remote,
    take: () => transport.take(),
    write: (bytes) => transport.write(bytes),
    isFull: () => transport.isFull(),
    onChange: (listener) => transport.onChange(listener),
    startTls: (options, signal) => transport.startTls(options, signal),
    enterSession: () => transport.enterSession(),
    destroy: () => transport.destroy(),
    ...changes,
  }
}

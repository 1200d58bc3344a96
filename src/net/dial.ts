/**
 * An endpoint becomes a transport: look up the name, then try its addresses one after the other. All of it
 * under one signal; what one address uses up is gone for the next.
 */
import type { Endpoint } from './endpoint.ts'
import { resolveHost } from './resolve.ts'
import { openSocket } from './socket.ts'
import { type Transport, TransportError } from './transport.ts'

/** Open a connection. Rejects with `signal.reason`, or with TransportError when every address has failed. */
export async function dial(endpoint: Endpoint, signal: AbortSignal): Promise<Transport> {
  if (endpoint.transport === 'unix') return openSocket({ path: endpoint.path }, signal)

  const { host, port } = endpoint
  const failures: TransportError[] = []
  for (const { address, family } of await resolveHost(endpoint.address ?? host, signal)) {
    try {
      return await openSocket(
        // Node would race the addresses of a name under a timer of its own; here is one address and no such timer.
        { host: address, family, port, autoSelectFamily: false, noDelay: true, keepAlive: true },
        signal,
      )
    } catch (error) {
      if (!(error instanceof TransportError)) throw error
      failures.push(error)
    }
  }
  const [first] = failures
  throw new TransportError(first?.code ?? 'ENOTFOUND', failures.map(({ message }) => message).join('; '), {
    cause: failures.length === 1 ? first : new AggregateError(failures, `${failures.length} addresses were tried`),
  })
}

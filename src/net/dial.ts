/**
 * An endpoint becomes a transport: look up the name, then try its addresses one after the other. All of it
 * under one signal; what one address uses up is gone for the next.
 */
import { resolveHost } from './resolve.ts'
import { openSocket } from './socket.ts'
import { type Transport, TransportError } from './transport.ts'

/** Where the server listens: a TCP host and port, or the path of a Unix-domain socket. */
export type Endpoint =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'unix'; readonly path: string }

/** Open a connection. Rejects with `signal.reason`, or with TransportError when every address has failed. */
export async function dial(endpoint: Endpoint, signal: AbortSignal): Promise<Transport> {
  if (endpoint.transport === 'unix') return openSocket({ path: endpoint.path }, signal)

  const { host, port } = endpoint
  const failures: TransportError[] = []
  for (const { address, family } of await resolveHost(host, signal)) {
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

/**
 * A host name becomes addresses. getaddrinfo cannot be stopped: when the signal is aborted the caller is told
 * at once, and what the operating system answers later is dropped.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { TransportError } from './transport.ts'
import { until } from './until.ts'

/** The addresses of a host in the order of the operating system's preference. At least one. */
export function resolveHost(host: string, signal: AbortSignal): Promise<LookupAddress[]> {
  return until(signal, (resolve, reject) => {
    lookup(host, { all: true, order: 'verbatim' }, (error, addresses) => {
      if (error) reject(new TransportError(error.code ?? 'EAI_FAIL', error.message, { cause: error }))
      else resolve(addresses)
    })
    return () => {}
  })
}

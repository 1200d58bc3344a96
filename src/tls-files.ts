/**
 * The files of TLS are read before anybody is dialed: what is missing shows at once. But where there may be a connection
 * without TLS, a defect of the user's own files, which nobody named, counts only once TLS begins.
 */
import type { Settings } from './config/settings.ts'
import type { Endpoint } from './net/endpoint.ts'
import { readTlsOptions } from './net/tls.ts'
import type { TlsOptions } from './net/transport.ts'
import { Fault } from './protocol/failure.ts'

/** How TLS is to be spoken with a server; a Fault: that it cannot be; null: that it is not wanted. */
export type TlsOptionsFor = (endpoint: Endpoint) => TlsOptions | Fault | null

/**
 * They are the same for every host, but for its name. A promise only if TLS may be wanted. It rejects with `signal.reason`, and with
 * Fault 'config'.
 */
export function readTlsFiles({ hosts, tls }: Settings, signal: AbortSignal): TlsOptionsFor | Promise<TlsOptionsFor> {
  const overTcp = hosts.find((endpoint) => endpoint.transport === 'tcp')
  return overTcp === undefined || tls.mode === 'disable' ? () => null : optionsIn(tls, overTcp.host, signal)
}

async function optionsIn(tls: Settings['tls'], host: string, signal: AbortSignal): Promise<TlsOptionsFor> {
  try {
    const options = await readTlsOptions(tls, host, signal)
    return (endpoint) => (endpoint.transport === 'unix' ? null : { ...options, host: endpoint.host })
  } catch (error) {
    if (!(error instanceof Fault) || error.failure.kind !== 'config') throw error
    const { parameter, problem } = error.failure
    if (!tls.found.includes(parameter)) throw error
    const about = `${problem} (none was given: this is about the file in the home directory)`
    const fault = new Fault({ kind: 'config', parameter, problem: about }, { cause: error.cause })
    const isSure = tls.mode !== 'allow' && tls.mode !== 'prefer'
    if (isSure) throw fault
    return (endpoint) => (endpoint.transport === 'unix' ? null : fault)
  }
}

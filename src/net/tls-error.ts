/**
 * What OpenSSL has to say, without its thread id, source path and line end: the reason only, and a sentence of ours where the
 * reason alone leaves the reader to guess. Knows nothing of sockets.
 */
import { TransportError } from './transport.ts'

const SENTENCES: Readonly<Record<string, string>> = {
  'wrong version number': 'what answered is not TLS (wrong version number)',
  // TLS 1.3, RFC 8446 section 6.2: after our end of the handshake is through, so it is met by whoever reads.
  'tlsv13 alert certificate required': 'the server wants a client certificate: give sslcert and sslkey',
}

/** The error of a socket, in TLS or not, as the transport's. */
export function lost(error: NodeJS.ErrnoException, codeIfNone: string): TransportError {
  const reason = reasonOf(error)
  return new TransportError(error.code ?? codeIfNone, SENTENCES[reason] ?? reason, { cause: error })
}

function reasonOf(error: Error & { readonly reason?: unknown }): string {
  if (typeof error.reason === 'string') return error.reason
  // <thread>:error:<number>:<library>:<routine>:<reason>:<file>:<line>:<data>
  const [, reason] = /error:[0-9A-F]{8}:[^:]*:[^:]*:([^:\n]+)/.exec(error.message) ?? []
  return reason ?? error.message
}

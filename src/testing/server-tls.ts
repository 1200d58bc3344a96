/** The server's side of TLS on a connection that is already open: honest with what it is given, which need not be honest. */
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureVersion, TLSSocket } from 'node:tls'

export interface ServerTlsOptions {
  /** PEM, the server's certificate first. */
  readonly certificate: string
  /** PEM. */
  readonly privateKey: string
  /** What is answered to ALPN. 'postgresql' unless told otherwise; null: no answer at all. */
  readonly alpn?: string | null
  readonly maxVersion?: SecureVersion
  readonly ciphers?: string
}

/** Wrap a socket. The handshake goes on by itself; 'secure' tells of its end, 'error' of its failure. */
export function serverTls(socket: Duplex, options: ServerTlsOptions): TLSSocket {
  const { certificate, privateKey, alpn = 'postgresql', maxVersion, ciphers } = options
  return new TLSSocket(socket, {
    isServer: true,
    secureContext: createSecureContext({
      cert: certificate,
      key: privateKey,
      ...(maxVersion && { maxVersion, minVersion: 'TLSv1' }),
      ...(ciphers && { ciphers }),
    }),
    ...(alpn !== null && { ALPNProtocols: [alpn] }),
  })
}

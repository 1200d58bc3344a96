/**
 * TLS as libpq means it: what sslmode asks for becomes Node's options, and what Node has found becomes facts. Whether
 * they are good enough is not decided here but in the table of the handshake.
 *
 * Manual: #LIBPQ-SSL, #LIBPQ-CONNECT-SSLMODE and its neighbours.
 */

import type { X509Certificate } from 'node:crypto'
import { promises as files } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { Secret } from '../auth/secret.ts'
import { Fault } from '../protocol/failure.ts'
import type { TlsFacts } from '../state/handshake/states.ts'
import { type TlsOptions, TransportError } from './transport.ts'
import { until } from './until.ts'

/** The parameters of a connection that concern TLS, as src/config leaves them. */
export interface TlsParameters {
  readonly mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  readonly rootCertificate: string | null
  readonly certificate: string | null
  readonly key: string | null
  readonly keyPassword: Secret | null
  readonly revocationList: string | null
  readonly sendServerName: boolean
  readonly certificateMode: 'disable' | 'allow' | 'require'
  readonly minVersion: ConnectionOptions['minVersion'] | null
  readonly maxVersion: ConnectionOptions['maxVersion'] | null
  readonly nodeOptions: ConnectionOptions | null
}

/** The protocol's name in ALPN: #PROTOCOL-FLOW-SSL. */
const ALPN_PROTOCOL = 'postgresql'

/**
 * Read the files that the parameters name. Rejects with `signal.reason`, and with Fault 'config' for a file that cannot be
 * read or is missing though sslmode needs it.
 */
export async function readTlsOptions(
  parameters: TlsParameters,
  host: string,
  signal: AbortSignal,
): Promise<TlsOptions> {
  const { mode, rootCertificate, keyPassword, minVersion, maxVersion, nodeOptions } = parameters
  const system = rootCertificate === 'system'
  const hasRoots = rootCertificate !== null || nodeOptions?.ca !== undefined
  if ((mode === 'verify-ca' || mode === 'verify-full') && !hasRoots) {
    throw new Fault({
      kind: 'config',
      parameter: 'sslrootcert',
      problem: `is not given, and ${mode} needs it: name a file of trusted certificates, or 'system'`,
    })
  }
  const sendsCertificate = parameters.certificateMode !== 'disable'
  const [ca, cert, key, crl] = await Promise.all([
    readPem('sslrootcert', system ? null : rootCertificate, signal),
    readPem('sslcert', sendsCertificate ? parameters.certificate : null, signal),
    readPem('sslkey', sendsCertificate ? parameters.key : null, signal),
    readPem('sslcrl', parameters.revocationList, signal),
  ])
  return {
    host,
    sendServerName: parameters.sendServerName,
    verify: mode === 'verify-full' ? 'chain and name' : mode === 'verify-ca' || hasRoots ? 'the chain' : 'nothing',
    node: {
      ...(ca !== null && { ca }),
      ...(cert !== null && { cert }),
      ...(key !== null && { key }),
      ...(keyPassword !== null && { passphrase: keyPassword.reveal() }),
      ...(crl !== null && { crl }),
      ...(minVersion && { minVersion }),
      ...(maxVersion && { maxVersion }),
      ...nodeOptions,
    },
  }
}

async function readPem(parameter: string, path: string | null, signal: AbortSignal): Promise<Buffer | null> {
  signal.throwIfAborted()
  if (path === null) return null
  return files.readFile(path, { signal }).catch((error: NodeJS.ErrnoException) => {
    signal.throwIfAborted()
    throw new Fault(
      { kind: 'config', parameter, problem: `its file cannot be read (${error.code ?? error.message})` },
      { cause: error },
    )
  })
}

/** Speak TLS over a socket. On failure the socket is still the caller's to destroy. */
export async function secure(
  socket: Socket,
  { host, sendServerName, verify, node }: TlsOptions,
  signal: AbortSignal,
): Promise<{ readonly socket: TLSSocket; readonly tls: TlsFacts }> {
  const secured = openTls({
    ...node,
    socket,
    // A name only: RFC 6066 section 3 has no addresses here.
    servername: sendServerName && isIP(host) === 0 ? host : '',
    ALPNProtocols: [ALPN_PROTOCOL],
    // Node's verdict is asked for below: its error would come as if the connection had broken.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  secured.on('error', () => {})
  await until<void>(signal, (resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) =>
      reject(new TransportError(error.code ?? 'ETLS', error.message, { cause: error }))
    const onClose = () => reject(new TransportError('ECLOSED', 'the connection was closed during the TLS handshake'))
    secured.once('secureConnect', resolve).once('error', onError).once('close', onClose)
    return () => secured.off('secureConnect', resolve).off('error', onError).off('close', onClose)
  })
  // Asked for once: asked again, in whichever form, Node 20 says that there is none.
  const certificate = secured.getPeerX509Certificate()
  return {
    socket: secured,
    tls: {
      version: secured.getProtocol() ?? 'unknown',
      cipher: secured.getCipher().name,
      alpnProtocol: secured.alpnProtocol || null,
      serverCertificate: certificate === undefined ? null : new Uint8Array(certificate.raw),
      rejection: findRejection(secured, certificate, host, verify),
    },
  }
}

/** Node throws at once for a certificate, key or version that it cannot use. */
function openTls(options: ConnectionOptions): TLSSocket {
  try {
    return connect(options)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // OpenSSL's texts name the routine and the reason, never the content of a key.
    throw new Fault(
      { kind: 'config', parameter: 'tls', problem: `${code ?? 'unusable'}: ${message}` },
      { cause: error },
    )
  }
}

function findRejection(
  secured: TLSSocket,
  certificate: X509Certificate | undefined,
  host: string,
  verify: TlsOptions['verify'],
): string | null {
  if (verify === 'nothing') return null
  if (!secured.authorized || certificate === undefined) {
    return `server certificate (${String(secured.authorizationError ?? 'there is none')})`
  }
  if (verify === 'the chain') return null
  const mismatch = checkServerIdentity(host, certificate.toLegacyObject())
  return mismatch === undefined ? null : `server certificate (${mismatch.message})`
}

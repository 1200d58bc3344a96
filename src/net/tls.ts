/**
 * TLS as libpq means it: what sslmode asks for becomes Node's options, and what Node has found becomes facts. Whether
 * they are good enough is not decided here but in the table of the handshake.
 *
 * Manual: #LIBPQ-SSL, #LIBPQ-CONNECT-SSLMODE and its neighbours.
 */

import { constants } from 'node:crypto'
import { promises as files } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  DEFAULT_CIPHERS,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls'
import type { Secret } from '../auth/secret.ts'
import { Fault } from '../protocol/failure.ts'
import { LIMITS } from '../protocol/limits.ts'
import { printable } from '../protocol/printable.ts'
import type { TlsFacts } from '../state/handshake/states.ts'
import { watch } from './deadline.ts'
import { readLasting } from './lasting-file.ts'
import { type Material, recallContext, unusable } from './tls-context.ts'
import { lost } from './tls-error.ts'
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

/** Without the key exchange over a prime of the server's choice: a huge one keeps the event loop busy for a second. */
const CIPHERS = `${DEFAULT_CIPHERS}:!kDHE`

/** The names in a certificate may take 100 KB, and a stranger wrote them. */
const MISMATCH_LENGTH_MAX = 200

/** How often the bytes of TLS are counted. A flood gets as far as it can in that time; its bytes are dropped, not kept. */
export const COUNT_EVERY_MS = 50

/**
 * Read the files that the parameters name. Rejects with `signal.reason`, and with Fault 'config' for a file that cannot be
 * read, does not hold what it should, or is missing though sslmode needs it.
 */
export async function readTlsOptions(
  parameters: TlsParameters,
  host: string,
  signal: AbortSignal,
): Promise<TlsOptions> {
  const { mode, rootCertificate, keyPassword, minVersion, maxVersion, nodeOptions } = parameters
  const system = rootCertificate === 'system'
  const hasRoots = rootCertificate !== null || Boolean(nodeOptions?.ca)
  const verifies = mode === 'verify-ca' || mode === 'verify-full'
  if (verifies && !hasRoots) {
    throw new Fault({
      kind: 'config',
      parameter: 'sslrootcert',
      problem: `is not given, and ${mode} needs it: name a file of trusted certificates, or 'system'`,
    })
  }
  const sendsCertificate = parameters.certificateMode !== 'disable'
  // One after the other: when one fails, none of the others is still under way.
  const ca = await readPem('sslrootcert', system ? null : rootCertificate, signal)
  const cert = await readPem('sslcert', sendsCertificate ? parameters.certificate : null, signal)
  const key = await readPem('sslkey', sendsCertificate ? parameters.key : null, signal)
  const crl = await readPem('sslcrl', parameters.revocationList, signal)
  const passphrase = keyPassword?.reveal()
  const material: readonly Material[] = [
    ['sslrootcert', ca !== null && { ca }],
    ['sslcert', cert !== null && { cert }],
    ['sslkey', key !== null && { key, passphrase }],
    ['sslcrl', crl !== null && { crl }],
  ]
  const rest = {
    ciphers: CIPHERS,
    // The certificate of a second handshake would be verified by nobody. PostgreSQL has not negotiated again since 9.5.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
    ...nodeOptions,
  }
  return {
    host,
    sendServerName: parameters.sendServerName,
    verify: mode === 'verify-full' ? 'chain and name' : verifies || hasRoots ? 'the chain' : 'nothing',
    node: {
      ...nodeOptions,
      secureContext: recallContext(material, rest),
    },
  }
}

async function readPem(parameter: string, path: string | null, signal: AbortSignal): Promise<Buffer | null> {
  signal.throwIfAborted()
  if (path === null) return null
  // Node looks at the signal between two reads; a file system that hangs may never come to one.
  return until<Buffer>(signal, (resolve, reject) => {
    readPrivately(parameter, path, signal).then(resolve, (error: unknown) => {
      if (error instanceof Fault) reject(error)
      else reject(unreadable(parameter, `cannot be read (${(error as NodeJS.ErrnoException).code ?? error})`, error))
    })
    return () => {}
  })
}

async function readPrivately(parameter: string, path: string, signal: AbortSignal): Promise<Buffer> {
  const stats = await files.stat(path, { bigint: true })
  const mode = Number(stats.mode)
  // To open a pipe is to wait for its other end, for ever and beyond every deadline.
  if (!stats.isFile()) throw unreadable(parameter, 'is not a regular file')
  // As libpq: nobody but its owner, or root's group if it is root's, may read a private key (#LIBPQ-SSL-CLIENTCERT).
  const forbidden = stats.uid === 0n ? 0o037 : 0o077
  if (parameter === 'sslkey' && process.platform !== 'win32' && (mode & forbidden) !== 0) {
    throw unreadable(parameter, `can be read by others (mode ${(mode & 0o777).toString(8)}); make it 600`)
  }
  return parameter === 'sslkey' ? files.readFile(path, { signal }) : readLasting(path, stats, signal)
}

function unreadable(parameter: string, what: string, cause?: unknown): Fault {
  return new Fault({ kind: 'config', parameter, problem: `its file ${what}` }, cause === undefined ? {} : { cause })
}

/** Speak TLS over a socket. On failure the socket is still the caller's to destroy. */
export async function secure(
  socket: Socket,
  { host, sendServerName, verify, node }: TlsOptions,
  signal: AbortSignal,
): Promise<{ readonly socket: TLSSocket; readonly tls: TlsFacts }> {
  const bytesBefore = socket.bytesRead
  let trusted: PeerCertificate | undefined
  const secured = openTls({
    ...node,
    socket,
    // A name only: RFC 6066 section 3 has no addresses here.
    servername: node.servername ?? (sendServerName && isIP(host) === 0 ? host : ''),
    ALPNProtocols: [ALPN_PROTOCOL],
    // Node's verdict is asked for below: its error would come as if the connection had broken.
    rejectUnauthorized: false,
    // Called only if the chain is trusted, with the certificate as an object, which Node takes its time to make; with an empty
    // one where keys were shared beforehand (pskCallback) and nobody has shown any. A resumed session has no call; none is ours.
    checkServerIdentity: (_name, certificate) => {
      if (certificate.raw !== undefined) trusted = certificate
      return undefined
    },
  })
  secured.on('error', () => {})
  await until<void>(signal, (resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(lost(error, 'ETLS'))
    const onClose = () => reject(new TransportError('ECLOSED', 'the connection was closed during the TLS handshake'))
    secured.once('secureConnect', resolve).once('error', onError).once('close', onClose)
    // Of records that OpenSSL drops Node tells nobody.
    const stopCounting = watch(() => {
      const received = socket.bytesRead - bytesBefore
      const limit = LIMITS.tlsHandshakeBytesMax
      if (received > limit) reject(new Fault({ kind: 'limit', what: 'bytes of the TLS handshake', limit, received }))
    }, COUNT_EVERY_MS)
    return () => {
      stopCounting()
      secured.off('secureConnect', resolve).off('error', onError).off('close', onClose)
    }
  })
  // Asked for once: asked again, in whichever form, Node 20 says that there is none.
  const { raw } = trusted ?? secured.getPeerX509Certificate() ?? { raw: null }
  return {
    socket: secured,
    tls: {
      version: secured.getProtocol() ?? 'unknown',
      cipher: secured.getCipher().name,
      alpnProtocol: secured.alpnProtocol || null,
      serverCertificate: raw && new Uint8Array(raw),
      rejection: findRejection(secured, trusted, host, verify),
    },
  }
}

/** Node throws at once for an option that it cannot use. */
function openTls(options: ConnectionOptions): TLSSocket {
  try {
    return connect(options)
  } catch (error) {
    throw unusable('tls', error)
  }
}

function findRejection(
  secured: TLSSocket,
  trusted: PeerCertificate | undefined,
  host: string,
  verify: TlsOptions['verify'],
): string | null {
  if (verify === 'nothing') return null
  if (!secured.authorized || trusted === undefined) {
    return `server certificate (${String(secured.authorizationError ?? 'there is none')})`
  }
  if (verify === 'the chain') return null
  const message = findMismatch(host, trusted)
  if (message === null) return null
  const bounded = message.length > MISMATCH_LENGTH_MAX ? `${message.slice(0, MISMATCH_LENGTH_MAX - 1)}…` : message
  return `server certificate (${printable(bounded)})`
}

/** A star that stands for something else than a whole first label. */
const STAR_IN_PART = { ofName: /(?<!^)\*|\*(?!\.)/g, ofNames: /(?<!DNS:)\*|\*(?!\.)/g }

/**
 * Node lets `f*.example.org` stand for foo.example.org; in libpq a star stands for the whole first label or for nothing
 * (wildcard_certificate_match in fe-secure-common.c; RFC 9525 section 6.3). So Node is asked a second time, with every
 * other star made a character that no host has. X509Certificate.checkHost has an option for it, but lets no star stand
 * for a label with an underscore, as libpq does.
 */
function findMismatch(host: string, certificate: PeerCertificate): string | null {
  const mismatch = checkServerIdentity(host, certificate)
  if (mismatch !== undefined) return mismatch.message
  const { subject, subjectaltname } = certificate
  const commonNames = [subject?.CN ?? []].flat()
  if (![subjectaltname, ...commonNames].some((names) => names?.includes('*'))) return null
  const strict = {
    ...certificate,
    subject: { ...subject, CN: commonNames.map((name) => name.replaceAll(STAR_IN_PART.ofName, '\ufffd')) },
    subjectaltname: subjectaltname?.replaceAll(STAR_IN_PART.ofNames, '\ufffd'),
  }
  if (checkServerIdentity(host, strict as object as PeerCertificate) === undefined) return null
  const names = subjectaltname ?? commonNames.join(', ')
  return `Host: ${host} matches only by a wildcard for part of a label, which does not count: ${names}`
}

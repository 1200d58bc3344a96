/**
 * Everything that doctor finds out, one question after the other, all of them under one deadline. A question to which there was no
 * time left has null for an answer.
 */
import { X509Certificate } from 'node:crypto'
import type { Session } from '../../session.ts'
import { SessionError } from '../../state/errors.ts'
import { CLOSE_TIMEOUT_MS } from '../network.ts'
import { type Examiner, enter, look, type Sighting } from './probe.ts'

export interface Certificate {
  readonly subject: string
  readonly issuer: string
  readonly names: string
  readonly expiresAtMs: number
  readonly isSelfSigned: boolean
  /** 'rsa 2048', 'ec prime256v1' and the like. */
  readonly key: string
}

/** What the session itself told. */
export interface Inside {
  readonly authenticationMethod: string
  readonly protocolVersion: string
  readonly parameters: ReadonlyMap<string, string>
  /** Of the server's settings those that matter here. */
  readonly settings: ReadonlyMap<string, string>
  /** Whether another process than the one of BackendKeyData answers queries: there is a pooler between. */
  readonly isPooled: boolean | null
  /** How long it took until a query was cancelled; null: there was no time; a sentence: it was not. */
  readonly cancelled: number | string | null
  /** One query and its answer, in milliseconds. */
  readonly queryMs: number
}

export interface Examination {
  /** As asked for. */
  readonly asked: Sighting
  /** What ended it; null: nothing did. */
  readonly error: unknown
  readonly inside: Inside | null
  readonly certificate: Certificate | null
  /** In plaintext, TLS 1.2, TLS 1.3, TLS from the first byte, and with the certificate verified in full. */
  readonly plain: Sighting | null
  readonly tls12: Sighting | null
  readonly tls13: Sighting | null
  readonly direct: Sighting | null
  readonly verified: Sighting | null
  /** Protocol 3.2. */
  readonly newest: Sighting | null
  /** What is asked of the server in TLS: the default of sslmode may have led elsewhere. */
  readonly tls: Sighting | null
}

/**
 * What the server does wrong is part of the examination; once the signal is aborted nothing more is asked. `tell` is told what
 * comes next.
 */
export async function examine(examiner: Examiner, tell: (step: string) => void): Promise<Examination> {
  const isOver = () => examiner.signal.aborted || examiner.remainingMs() <= 0
  const ask = async (step: string, parameters: Readonly<Record<string, string>>): Promise<Sighting | null> => {
    if (isOver()) return null
    tell(step)
    const sighting = await look(examiner, parameters)
    // What the end of the deadline has cut off says nothing about the server.
    return sighting.failure?.failure.kind === 'deadline' && isOver() ? null : sighting
  }
  tell('the connect as it was asked for')
  const { sighting: asked, session, error } = await enter(examiner)
  const isTcp = !asked.endpoint.startsWith('/')
  // Where nobody answers at all there is nothing more to ask, and each question would take as long.
  const isReached = asked.timeline.some(({ bytesReceived }) => bytesReceived > 0) || asked.tls !== null
  const inside = session === null ? null : await lookAround(examiner, session, tell)
  const askTcp = (step: string, parameters: Readonly<Record<string, string>>) => {
    return isTcp && isReached ? ask(step, parameters) : null
  }
  const unverified = { sslnegotiation: 'postgres', channel_binding: 'prefer', require_auth: '' }
  const tls = await askTcp('TLS', { ...unverified, sslmode: 'require' })
  const hasTls = tls?.tls != null
  const askTls = (step: string, parameters: Readonly<Record<string, string>>) => {
    return hasTls ? askTcp(step, { ...unverified, sslmode: 'require', ...parameters }) : null
  }
  /** By the certificates that were named, or else by those that this machine trusts. */
  const verify = async () => {
    const verified = await askTls('the certificate', { sslmode: 'verify-full' })
    const isRootMissing = verified?.failure?.failure.kind === 'config'
    return isRootMissing ? askTls('the certificate', { sslmode: 'verify-full', sslrootcert: 'system' }) : verified
  }
  return {
    asked,
    error,
    inside,
    tls,
    certificate: readCertificate(asked.tls?.serverCertificate ?? tls?.tls?.serverCertificate ?? null),
    tls13: await askTls('TLS 1.3', { ssl_min_protocol_version: 'TLSv1.3', ssl_max_protocol_version: 'TLSv1.3' }),
    tls12: await askTls('TLS 1.2', { ssl_min_protocol_version: 'TLSv1.2', ssl_max_protocol_version: 'TLSv1.2' }),
    direct: await askTls('TLS from the first byte', { sslnegotiation: 'direct' }),
    verified: await verify(),
    plain: await askTcp('no TLS', { ...unverified, sslmode: 'disable' }),
    newest: isReached ? await ask('protocol 3.2', { min_protocol_version: '3.0', max_protocol_version: '3.2' }) : null,
  }
}

const SETTINGS = [
  'authentication_timeout',
  'max_connections',
  'password_encryption',
  'scram_iterations',
  'ssl_min_protocol_version',
  'log_hostname',
]

async function lookAround(examiner: Examiner, session: Session, tell: (step: string) => void): Promise<Inside> {
  const { remainingMs, signal, io } = examiner
  const base = {
    authenticationMethod: session.authenticationMethod,
    protocolVersion: session.protocolVersion,
    parameters: new Map(session.parameters),
  }
  try {
    tell('a query')
    const startedMs = io.runtime.clock.now()
    const [result] = await session.query(
      `select 'pid', pg_backend_pid()::text union all
       select name, setting from pg_settings where name in (${SETTINGS.map((name) => `'${name}'`).join(', ')})`,
      { signal, timeoutMs: remainingMs() },
    )
    const queryMs = io.runtime.clock.now() - startedMs
    const settings = new Map((result?.rows ?? []).map(([name, value]) => [name ?? '', value ?? '']))
    const key = session.backendKeyData
    const isPooled = key === null ? null : Number(settings.get('pid')) !== key.processId
    settings.delete('pid')
    tell('a query that is cancelled')
    return { ...base, settings, isPooled, queryMs, cancelled: await tryCancel(examiner, session) }
  } catch (error) {
    if (!(error instanceof SessionError)) throw error
    return { ...base, settings: new Map(), isPooled: null, queryMs: Number.NaN, cancelled: null }
  } finally {
    await session.close({ signal: io.signal, timeoutMs: CLOSE_TIMEOUT_MS })
  }
}

/**
 * A query that takes as long as anybody waits here is told to stop. It ends by itself where that does not work: a backend that nobody
 * can stop must not stay behind. It concerns no other session.
 */
async function tryCancel({ io, signal, remainingMs }: Examiner, session: Session): Promise<Inside['cancelled']> {
  if (session.backendKeyData === null) return 'the server sent no BackendKeyData, so there is nothing to cancel by'
  const waitMs = Math.min(2_000, remainingMs() / 2)
  if (waitMs < 100) return null
  const { clock } = io.runtime
  const startedMs = clock.now()
  const sleeping = session.query(`select pg_sleep(${waitMs / 1_000})`, { signal, timeoutMs: 2 * waitMs }).then(
    () => 'the query came to its end',
    (error: unknown) => (error instanceof SessionError && error.sqlstate === '57014' ? null : 'the query went on'),
  )
  try {
    await session.cancel({ signal, timeoutMs: waitMs })
  } catch (error) {
    await sleeping
    return error instanceof Error ? error.message : String(error)
  }
  return (await sleeping) ?? clock.now() - startedMs
}

function readCertificate(der: Uint8Array | null): Certificate | null {
  if (der === null) return null
  try {
    const certificate = new X509Certificate(der)
    const { asymmetricKeyType = '', asymmetricKeyDetails: details } = certificate.publicKey
    return {
      subject: oneLine(certificate.subject),
      issuer: oneLine(certificate.issuer),
      names: oneLine(certificate.subjectAltName ?? ''),
      expiresAtMs: Date.parse(certificate.validTo),
      isSelfSigned: certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey),
      key: `${asymmetricKeyType} ${details?.modulusLength ?? details?.namedCurve ?? ''}`.trim(),
    }
  } catch {
    // A stranger wrote it.
    return null
  }
}

function oneLine(text: string): string {
  return text.split('\n').join(', ').slice(0, 200)
}

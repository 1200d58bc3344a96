/**
 * From what was found out to what it means: facts, each of them good, bad or neither, and what should be set on which side. Pure,
 * so that every rule can be tried without a server.
 */
import type { SslMode } from '../../config/settings.ts'
import { AWAITED, type StateName } from '../../state/handshake/table.ts'
import { milliseconds, whole } from '../numbers.ts'
import type { Examination } from './examine.ts'
import type { Sighting } from './probe.ts'

/** 'good': as it should be; 'bad': it stops connects or is unsafe; 'weak': it could be better; 'fact': neither. */
export type Mark = 'good' | 'weak' | 'bad' | 'fact'

export interface Finding {
  readonly mark: Mark
  readonly topic: string
  readonly found: string
}

export interface Advice {
  /** Who can do it. */
  readonly side: 'client' | 'server'
  /** The setting as it is to be written. */
  readonly set: string
  readonly because: string
}

export interface Report {
  readonly endpoint: string
  readonly sections: readonly { readonly title: string; readonly findings: readonly Finding[] }[]
  readonly advice: readonly Advice[]
}

const DAY_MS = 86_400_000
const EXPIRY_WARNED_DAYS = 30

/** RFC 7677 section 4: at least 4096. PostgreSQL's default. */
const ITERATIONS_MIN = 4_096

/** PBKDF2 with more takes longer than most connects. */
const ITERATIONS_LONG = 50_000

/** What took longer than that, and more than half of the whole, is named. */
const SLOW_MS = 50

/** `sslmode` is the one that was asked for. */
export function report(examination: Examination, sslmode: SslMode, nowMs: number): Report {
  const advice: Advice[] = []
  const advise = (side: Advice['side'], set: string, because: string) => advice.push({ side, set, because })
  const { asked } = examination
  const sections = [
    { title: 'Reaching it', findings: reaching(asked, advise) },
    { title: 'TLS', findings: ofTls(examination, sslmode === 'verify-full', nowMs, advise) },
    { title: 'Authentication', findings: ofAuthentication(examination, advise) },
    { title: 'Protocol', findings: ofProtocol(examination, advise) },
    { title: 'Session', findings: ofSession(examination) },
    { title: 'Time', findings: ofTime(examination, advise) },
  ]
  return { endpoint: asked.endpoint, sections: sections.filter(({ findings }) => findings.length > 0), advice }
}

type Advise = (side: Advice['side'], set: string, because: string) => void

function reaching({ addresses, timeline, failure, asked }: Sighting, advise: Advise): Finding[] {
  const spent = (state: StateName) => timeline.filter((entry) => entry.state === state)
  const findings: Finding[] = []
  if (addresses !== null) {
    const lookup = total(spent('ResolvingHost'))
    const names = addresses.length > 3 ? [...addresses.slice(0, 3), `${addresses.length - 3} more`] : addresses
    findings.push({
      mark: 'good',
      topic: 'name',
      found: `${names.join(', ')}, looked up in ${milliseconds(lookup)} ms`,
    })
  }
  const dialed = spent('Dialing').at(-1)
  if (dialed !== undefined && failure?.phase !== 'Dialing') {
    findings.push({
      mark: 'good',
      topic: 'connection',
      found: `open after ${milliseconds(dialed.leftMs - dialed.enteredMs)} ms`,
    })
  }
  if (failure !== null) {
    findings.push({ mark: 'bad', topic: 'connect', found: failure.message })
    const remedy = remedyFor(failure)
    if (remedy !== null) advise(remedy.side, remedy.set, remedy.because)
  }
  if (failure === null && asked !== null) findings.push({ mark: 'good', topic: 'connect', found: 'it let us in' })
  return findings
}

/** What stops people before the server has said a word. What a server refuses for, its error says. */
function remedyFor({ phase, failure }: NonNullable<Sighting['failure']>): Advice | null {
  if (phase === 'ResolvingHost') {
    return { side: 'client', set: 'host', because: 'the name is not found, or the name server does not answer' }
  }
  if (failure.kind === 'config' && failure.parameter === 'password') {
    return { side: 'client', set: 'PGPASSWORD, or ~/.pgpass (mode 600)', because: 'the server asks for a password' }
  }
  if (failure.kind === 'lost' && failure.code === 'ECONNREFUSED') {
    return { side: 'server', set: 'listen_addresses, port', because: 'the machine answers, and nobody listens there' }
  }
  if (failure.kind === 'deadline' && phase === 'Dialing') {
    return {
      side: 'server',
      set: 'the firewall, or the address',
      because: 'nobody answers at all: packets are dropped on the way',
    }
  }
  if (failure.kind === 'deadline') {
    return {
      side: 'client',
      set: 'a longer --timeout',
      because: 'it is reached; whether it is slow or stuck, more time will tell',
    }
  }
  return null
}

function ofTls(
  { asked, tls, tls12, tls13, direct, verified, certificate }: Examination,
  isVerifying: boolean,
  nowMs: number,
  advise: Advise,
): Finding[] {
  if (tls === null) return []
  if (tls.tls === null) {
    const found = tls.tlsReply === 'N' ? 'the server says no' : (tls.failure?.message ?? 'nobody knows')
    if (tls.tlsReply === 'N')
      advise('server', 'ssl = on', 'whoever is on the path reads and changes everything that is said')
    return [{ mark: 'bad', topic: 'TLS', found }]
  }
  const findings: Finding[] = []
  const version = asked.tls?.version
  findings.push({
    mark: version === undefined ? 'bad' : 'good',
    topic: 'used',
    found: version === undefined ? 'no, though the server offers it' : `${version}, ${asked.tls?.cipher}`,
  })
  findings.push({
    mark: tls13?.tls == null && tls13 !== null ? 'weak' : 'fact',
    topic: 'versions',
    found: [offered('TLS 1.3', tls13), offered('TLS 1.2', tls12)].join(', '),
  })
  if (tls13 !== null && tls13.tls === null) {
    advise('server', 'an OpenSSL with TLS 1.3', 'TLS 1.2 takes a round trip more')
  }
  if (certificate !== null) {
    const days = Math.floor((certificate.expiresAtMs - nowMs) / DAY_MS)
    const isOld = days < EXPIRY_WARNED_DAYS
    const whose = certificate.isSelfSigned ? 'self-signed' : `by ${certificate.issuer}`
    findings.push({ mark: 'fact', topic: 'certificate', found: `${certificate.subject}, ${whose}, ${certificate.key}` })
    findings.push({
      mark: isOld ? 'bad' : 'good',
      topic: 'expires',
      found: `${new Date(certificate.expiresAtMs).toISOString().slice(0, 10)}, ${days < 0 ? 'in the past' : `in ${whole(days)} days`}`,
    })
    if (isOld) advise('server', 'ssl_cert_file', 'the certificate expires soon; a reload is enough for a new one')
  }
  const isVerified = verified !== null && verified.tls !== null && verified.failure === null
  if (verified !== null) {
    findings.push({
      mark: isVerified ? 'good' : 'weak',
      topic: 'verify-full',
      found: isVerified
        ? 'holds: the certificate is trusted and has this name'
        : (verified.failure?.message ?? 'does not hold'),
    })
  }
  if (isVerified) {
    if (!isVerifying) advise('client', 'sslmode=verify-full', 'the server can prove its name, and would have to')
  } else if (verified !== null) {
    advise('client', 'sslmode=verify-full sslrootcert=FILE', 'without it whoever answers is taken for the server')
  }
  const isDirect = direct?.tls != null && direct.failure === null
  findings.push({
    mark: 'fact',
    topic: 'direct',
    found: isDirect
      ? 'TLS from the first byte, with ALPN postgresql'
      : `${direct === null ? 'unknown whether' : 'no'} TLS from the first byte`,
  })
  const hasAskedFirst = asked.timeline.some(({ state }) => state === 'AwaitingTlsReply')
  if (isDirect && hasAskedFirst && asked.tls !== null) {
    advise('client', 'sslnegotiation=direct', 'one round trip less; needs sslmode=require or above')
  }
  return findings
}

function offered(name: string, sighting: Sighting | null): string {
  if (sighting === null) return `${name} unknown`
  return sighting.tls === null ? `no ${name}` : name
}

const METHODS: Readonly<Record<string, string>> = {
  AuthenticationOk: 'nothing',
  AuthenticationCleartextPassword: 'the password itself',
  AuthenticationMD5Password: 'MD5',
  AuthenticationKerberosV5: 'Kerberos V5',
  AuthenticationGSS: 'GSSAPI',
  AuthenticationSSPI: 'SSPI',
}

function wants({ asked, mechanisms, failure }: Sighting): string {
  if (asked === null) return failure === null ? 'nobody knows' : `refused: ${failure.message}`
  return asked === 'AuthenticationSASL' ? mechanisms.join(', ') : (METHODS[asked] ?? asked)
}

function ofAuthentication({ asked, tls, plain, inside }: Examination, advise: Advise): Finding[] {
  const findings: Finding[] = []
  const secured = tls?.tls == null ? null : tls
  const main = asked.asked === null ? (secured ?? plain) : asked
  if (main === null || main.asked === null) return findings
  const isWeak = ['AuthenticationMD5Password', 'AuthenticationCleartextPassword'].includes(main.asked)
  findings.push({ mark: isWeak ? 'weak' : 'fact', topic: 'asks for', found: wants(main) })
  if (main.asked === 'AuthenticationOk') {
    const isByCertificate = inside !== null && inside.authenticationMethod === 'none'
    findings.push({
      mark: 'fact',
      topic: 'who',
      found: isByCertificate ? 'trust, peer or a client certificate' : 'unknown',
    })
  }
  if (isWeak) {
    advise(
      'server',
      "password_encryption = 'scram-sha-256'",
      'then set the password again, and scram-sha-256 in pg_hba.conf',
    )
  }
  if (main.asked === 'AuthenticationSASL') {
    const binds = main.mechanisms.includes('SCRAM-SHA-256-PLUS')
    if (main.tls !== null) {
      findings.push({
        mark: binds ? 'good' : 'weak',
        topic: 'binding',
        found: binds ? 'bound to the TLS channel' : 'not offered: TLS may end before the server (a pooler, a proxy)',
      })
    }
    if (main.iterations !== null) {
      const isFew = main.iterations < ITERATIONS_MIN
      const isMany = main.iterations >= ITERATIONS_LONG
      findings.push({
        mark: isFew ? 'bad' : isMany ? 'weak' : 'good',
        topic: 'iterations',
        found: whole(main.iterations),
      })
      if (isFew)
        advise(
          'server',
          'scram_iterations = 4096',
          'fewer make a stolen verifier easy to guess from; set the password again',
        )
      if (isMany)
        advise('client', 'scram_client_key, scram_server_key', 'keys in place of the password save the derivation')
    }
    const setting = `require_auth=scram-sha-256${binds ? ' channel_binding=require' : ''}`
    advise('client', setting, 'nobody else can ask for less, and SCRAM begins one round trip earlier')
  }
  if (plain !== null && tls?.tls != null) {
    const isOpen = plain.asked !== null
    findings.push({
      mark: isOpen ? 'weak' : 'good',
      topic: 'without TLS',
      found: isOpen ? `answered as well, with ${wants(plain)}` : 'not let in',
    })
    if (isOpen)
      advise('server', 'hostssl in pg_hba.conf', 'in place of host: nobody then connects in the clear by mistake')
  }
  return findings
}

function ofProtocol({ newest, inside }: Examination, advise: Advise): Finding[] {
  const findings: Finding[] = []
  if (newest !== null && newest.failure === null) {
    const knows = !newest.isNegotiatedDown
    findings.push({ mark: 'fact', topic: 'version', found: knows ? '3.2' : '3.0; asked for 3.2 it goes on with 3.0' })
    if (knows && inside?.protocolVersion === '3.0') {
      advise('client', 'max_protocol_version=3.2', 'the key that cancels is longer than 4 bytes, and cannot be guessed')
    }
  } else if (newest !== null) {
    findings.push({ mark: 'weak', topic: 'version', found: `asked for 3.2: ${newest.failure?.message}` })
  }
  if (inside === null) return findings
  const { cancelled } = inside
  if (typeof cancelled === 'number') {
    findings.push({
      mark: 'good',
      topic: 'cancel',
      found: `a query ended ${milliseconds(cancelled)} ms after it was told to`,
    })
  } else if (cancelled !== null) findings.push({ mark: 'bad', topic: 'cancel', found: `does not work: ${cancelled}` })
  return findings
}

function ofSession({ inside, asked }: Examination): Finding[] {
  if (inside === null) return []
  const { parameters, settings, isPooled } = inside
  const fact = (topic: string, found: string): Finding => ({ mark: 'fact', topic, found })
  const version = parameters.get('server_version')
  const isReadOnly =
    parameters.get('in_hot_standby') === 'on' || parameters.get('default_transaction_read_only') === 'on'
  const key = asked.cancelKeyBytes
  return [
    ...(version === undefined ? [] : [fact('server', `PostgreSQL ${version}`)]),
    ...(isPooled === true ? [fact('pooler', 'yes: another process answers than the one that was named')] : []),
    fact('role', isReadOnly ? 'read-only (a standby, or set so)' : 'read-write'),
    ...(key === null ? [] : [fact('cancel key', `${key} bytes`)]),
    ...['max_connections', 'authentication_timeout', 'password_encryption'].flatMap((name) => {
      const value = settings.get(name)
      return value === undefined ? [] : [fact(name, name === 'authentication_timeout' ? `${value} s` : value)]
    }),
  ]
}

function ofTime({ asked, inside }: Examination, advise: Advise): Finding[] {
  const { timeline, roundTrips, elapsedMs } = asked
  if (inside === null || timeline.length === 0) return []
  const findings: Finding[] = [
    { mark: 'fact', topic: 'connect', found: `${milliseconds(elapsedMs)} ms, ${roundTrips} round trips` },
    ...(Number.isFinite(inside.queryMs)
      ? [{ mark: 'fact', topic: 'one query', found: `${milliseconds(inside.queryMs)} ms` } as const]
      : []),
  ]
  const byState = new Map<StateName, number>()
  for (const { state, enteredMs, leftMs } of timeline)
    byState.set(state, (byState.get(state) ?? 0) + leftMs - enteredMs)
  const [state, spentMs] = [...byState].reduce((one, other) => (other[1] > one[1] ? other : one))
  const isSlow = spentMs >= SLOW_MS && spentMs > elapsedMs / 2
  findings.push({
    mark: isSlow ? 'weak' : 'fact',
    topic: 'longest',
    found: `${state}, ${milliseconds(spentMs)} ms${AWAITED[state] === null ? '' : `: ${AWAITED[state]}`}`,
  })
  const remedy = isSlow ? SLOW[state] : undefined
  if (remedy !== undefined) advise(remedy.side, remedy.set, remedy.because)
  const lagMs = timeline.reduce((longest, { loopLagMs }) => Math.max(longest, loopLagMs), 0)
  if (lagMs >= SLOW_MS)
    findings.push({ mark: 'weak', topic: 'this process', found: `blocked for ${milliseconds(lagMs)} ms meanwhile` })
  return findings
}

const SLOW: Partial<Record<StateName, Advice>> = {
  ResolvingHost: {
    side: 'client',
    set: 'hostaddr, or a nearer name server',
    because: 'the lookup takes most of the time',
  },
  DerivingSaslKey: {
    side: 'client',
    set: 'scram_key_cache, scram_client_key and scram_server_key',
    because: 'deriving the key takes most of the time; it need not be done again',
  },
  AwaitingReady: {
    side: 'server',
    set: 'fewer things at the start of a session',
    because: 'hooks, event triggers at login, settings of the role, or too many connections at once',
  },
  AwaitingAuthentication: {
    side: 'server',
    set: 'log_hostname = off; addresses, not names, in pg_hba.conf',
    because: 'the server looks up names before it asks, or has no process left',
  },
}

function total(entries: Sighting['timeline']): number {
  return entries.reduce((sum, { enteredMs, leftMs }) => sum + leftMs - enteredMs, 0)
}

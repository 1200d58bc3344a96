/** doctor's rules: what each thing that was found means, and what should be set. No server is asked. */
import { describe, expect, it } from 'vitest'
import { drawReport } from '../../src/cli/doctor/draw-report.ts'
import type { Certificate, Examination, Inside } from '../../src/cli/doctor/examine.ts'
import { type Report, report } from '../../src/cli/doctor/findings.ts'
import type { Sighting } from '../../src/cli/doctor/probe.ts'
import { Screen } from '../../src/cli/screen.ts'
import type { SslMode } from '../../src/config/settings.ts'
import type { Failure } from '../../src/protocol/failure.ts'
import type { StateName } from '../../src/state/handshake/table.ts'
import type { TimelineEntry } from '../../src/state/timeline.ts'
import { TLS } from '../state/handshake/examples.ts'

const NOW = Date.UTC(2026, 10, 28)

function entry(state: StateName, enteredMs: number, leftMs: number, loopLagMs = 0): TimelineEntry {
  const base = { attempt: 0, awaited: null, sliceMs: 3_000, bytesSent: 0, bytesReceived: 9, messages: [] }
  return { ...base, state, enteredMs, leftMs, loopLagMs }
}

function sighting(changes: Partial<Sighting> = {}): Sighting {
  return {
    endpoint: 'db.example:5432',
    addresses: ['192.0.2.1'],
    tls: TLS,
    tlsReply: 'S',
    asked: 'AuthenticationSASL',
    mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'],
    iterations: 4_096,
    isNegotiatedDown: false,
    cancelKeyBytes: 32,
    roundTrips: 6,
    failure: null,
    timeline: [
      entry('ResolvingHost', 0, 1),
      entry('Dialing', 1, 2),
      entry('AwaitingTlsReply', 2, 4),
      entry('AwaitingReady', 4, 8),
    ],
    elapsedMs: 8,
    ...changes,
  }
}

function failed(failure: Failure, phase: StateName, changes: Partial<Sighting> = {}): Sighting {
  return sighting({
    tls: null,
    asked: null,
    mechanisms: [],
    failure: { phase, failure, message: 'it failed' },
    ...changes,
  })
}

const POLICY: Failure = { kind: 'policy', what: 'no', advice: 'no' }
const PLAIN_REFUSED = failed(POLICY, 'AwaitingAuthentication')

const INSIDE: Inside = {
  authenticationMethod: 'scram-sha-256',
  protocolVersion: '3.2',
  parameters: new Map([['server_version', '18.4']]),
  settings: new Map([
    ['max_connections', '100'],
    ['authentication_timeout', '60'],
  ]),
  isPooled: false,
  cancelled: 2,
  queryMs: 1,
}

const CERTIFICATE: Certificate = {
  subject: 'CN=db.example',
  issuer: 'CN=authority',
  names: 'DNS:db.example',
  expiresAtMs: NOW + 90 * 86_400_000,
  isSelfSigned: false,
  key: 'ec prime256v1',
}

/** A server of which nothing is to be said, asked in the best way. */
const BEST: Examination = {
  asked: sighting({ timeline: [entry('Dialing', 0, 1), entry('AwaitingReady', 1, 2)] }),
  error: null,
  inside: INSIDE,
  certificate: CERTIFICATE,
  plain: PLAIN_REFUSED,
  tls: sighting(),
  tls12: sighting(),
  tls13: sighting(),
  direct: sighting(),
  verified: sighting(),
  newest: sighting(),
}

function reportOf(changes: Partial<Examination>, sslmode: SslMode = 'verify-full'): Report {
  return report({ ...BEST, ...changes }, sslmode, NOW)
}

function find({ sections }: Report, topic: string) {
  return sections.flatMap(({ findings }) => findings).find((finding) => finding.topic === topic)
}

const settings = ({ advice }: Report) => advice.map(({ side, set }) => `${side}: ${set}`)

const BASE_ADVICE = 'client: require_auth=scram-sha-256 channel_binding=require'

describe('doctor', () => {
  it('of a server at its best it says what is good', () => {
    const best = reportOf({})
    expect(settings(best)).toEqual([BASE_ADVICE])
    expect(
      best.sections.flatMap(({ findings }) => findings).filter(({ mark }) => mark === 'bad' || mark === 'weak'),
    ).toEqual([])
    expect(find(best, 'verify-full')?.mark).toBe('good')
    expect(find(best, 'cancel')?.found).toBe('a query ended 2.0 ms after it was told to')
  })

  it.each<[string, Partial<Examination>, SslMode, string]>([
    ['no TLS', { tls: failed(POLICY, 'AwaitingTlsReply', { tlsReply: 'N' }) }, 'prefer', 'server: ssl = on'],
    ['a certificate that nobody verifies', {}, 'prefer', 'client: sslmode=verify-full'],
    [
      'a certificate that does not hold',
      { verified: PLAIN_REFUSED },
      'prefer',
      'client: sslmode=verify-full sslrootcert=FILE',
    ],
    [
      'a certificate that expires',
      { certificate: { ...CERTIFICATE, expiresAtMs: NOW + 1 } },
      'verify-full',
      'server: ssl_cert_file',
    ],
    ['no TLS 1.3', { tls13: PLAIN_REFUSED }, 'verify-full', 'server: an OpenSSL with TLS 1.3'],
    ['direct TLS that is not used', { asked: sighting() }, 'verify-full', 'client: sslnegotiation=direct'],
    [
      'MD5',
      { asked: sighting({ asked: 'AuthenticationMD5Password' }) },
      'verify-full',
      "server: password_encryption = 'scram-sha-256'",
    ],
    ['few iterations', { asked: sighting({ iterations: 4_095 }) }, 'verify-full', 'server: scram_iterations = 4096'],
    [
      'many iterations',
      { asked: sighting({ iterations: 50_000 }) },
      'verify-full',
      'client: scram_client_key, scram_server_key',
    ],
    ['an open door in plaintext', { plain: sighting({ tls: null }) }, 'verify-full', 'server: hostssl in pg_hba.conf'],
    [
      'a short key to cancel by',
      { inside: { ...INSIDE, protocolVersion: '3.0' } },
      'verify-full',
      'client: max_protocol_version=3.2',
    ],
    [
      'a slow lookup',
      { asked: sighting({ timeline: [entry('ResolvingHost', 0, 80)], elapsedMs: 90 }) },
      'verify-full',
      'client: hostaddr, or a nearer name server',
    ],
    [
      'a port where nobody listens',
      { asked: failed({ kind: 'lost', code: 'ECONNREFUSED', detail: 'no' }, 'Dialing'), inside: null },
      'verify-full',
      'server: listen_addresses, port',
    ],
    [
      'an address where nobody answers',
      { asked: failed({ kind: 'deadline', timeoutMs: 1 }, 'Dialing'), inside: null },
      'verify-full',
      'server: the firewall, or the address',
    ],
    [
      'a server that falls silent',
      { asked: failed({ kind: 'deadline', timeoutMs: 1 }, 'AwaitingReady'), inside: null },
      'verify-full',
      'client: a longer --timeout',
    ],
    [
      'a password that is not there',
      { asked: failed({ kind: 'config', parameter: 'password', problem: 'no' }, 'AwaitingSaslPassword'), inside: null },
      'verify-full',
      'client: PGPASSWORD, or ~/.pgpass (mode 600)',
    ],
    [
      'a name that is not found',
      { asked: failed({ kind: 'lost', code: 'ENOTFOUND', detail: 'no' }, 'ResolvingHost'), inside: null },
      'verify-full',
      'client: host',
    ],
  ])('%s: something is to be set', (_, changes, sslmode, advice) => {
    expect(settings(reportOf(changes, sslmode))).toContain(advice)
  })

  it.each<[string, Partial<Examination>, string, string]>([
    ['a pooler', { inside: { ...INSIDE, isPooled: true } }, 'pooler', 'fact'],
    ['no cancel', { inside: { ...INSIDE, cancelled: 'the query went on' } }, 'cancel', 'bad'],
    ['no channel binding', { asked: sighting({ mechanisms: ['SCRAM-SHA-256'] }) }, 'binding', 'weak'],
    [
      'a process that was busy',
      { asked: sighting({ timeline: [entry('Dialing', 0, 60, 55)] }) },
      'this process',
      'weak',
    ],
    ['a version that is refused', { newest: PLAIN_REFUSED }, 'version', 'weak'],
    [
      'trust',
      { asked: sighting({ asked: 'AuthenticationOk' }), inside: { ...INSIDE, authenticationMethod: 'none' } },
      'who',
      'fact',
    ],
  ])('%s is told of', (_, changes, topic, mark) => {
    expect(find(reportOf(changes), topic)?.mark).toBe(mark)
  })

  it('what there was no time for is unknown, not missing', () => {
    const changes = { tls13: null, tls12: null, direct: null }
    expect(find(reportOf(changes), 'versions')).toMatchObject({
      mark: 'fact',
      found: 'TLS 1.3 unknown, TLS 1.2 unknown',
    })
    expect(find(reportOf(changes), 'direct')?.found).toBe('unknown whether TLS from the first byte')
    expect(find(reportOf({ direct: PLAIN_REFUSED }), 'direct')?.found).toBe('no TLS from the first byte')
    expect(settings(reportOf(changes))).not.toContain('server: an OpenSSL with TLS 1.3')
  })

  it('what was not found out is not told of', () => {
    const unknown = {
      tls: null,
      tls12: null,
      tls13: null,
      direct: null,
      verified: null,
      certificate: null,
      plain: null,
      newest: null,
    }
    const { sections } = reportOf({
      ...unknown,
      inside: null,
      asked: failed({ kind: 'lost', code: 'FIN', detail: '' }, 'Dialing'),
    })
    expect(sections.map(({ title }) => title)).toEqual(['Reaching it'])
  })
})

describe('a report', () => {
  const screen = new Screen({ env: {}, isTerminal: false })

  it('fits a terminal, has a mark for every finding, and says what to do last', () => {
    const lines = drawReport(screen, reportOf({ plain: sighting({ tls: null }) }, 'prefer'))
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines).toContain('What to do')
    expect(lines.slice(lines.indexOf('What to do')).join('\n')).toContain('hostssl in pg_hba.conf')
    expect(lines.filter((line) => /^ {2}[✓!✗·] /.test(line)).length).toBeGreaterThan(10)
  })

  it('without advice it says that all is well, unless it is not', () => {
    const well: Report = {
      endpoint: 'x',
      advice: [],
      sections: [{ title: 'T', findings: [{ mark: 'good', topic: 't', found: 'f' }] }],
    }
    expect(drawReport(screen, well).at(-1)).toContain('as good as it gets')
    const ill: Report = { ...well, sections: [{ title: 'T', findings: [{ mark: 'bad', topic: 't', found: 'f' }] }] }
    expect(drawReport(screen, ill).join('\n')).not.toContain('What to do')
  })
})

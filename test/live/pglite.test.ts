/**
 * How we get on with PGlite behind its socket, whose one backend serves every connection and lets everybody in. What of it is
 * PGlite's own, and may change with its version, says so.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConnectTarget, connect } from '../../src/index.ts'
import { type PgliteServer, startPglite } from '../servers/pglite.ts'
import { handshakeFailureOf } from './expect-failure.ts'

const START_LIMIT_MS = 200_000
const LIMIT_MS = 100_000
/** For what must come, on any machine. */
const PATIENT = { timeoutMs: 30_000 }

let server: PgliteServer
beforeAll(async () => {
  server = await startPglite()
}, START_LIMIT_MS)
afterAll(() => server?.stop())

function targetOf(more: ConnectTarget): ConnectTarget {
  const { host, port, user, database } = server
  return { host, port, user, dbname: database, password: 'any', sslmode: 'disable', ...more }
}

describe('PGlite', { timeout: LIMIT_MS }, () => {
  it('lets us in without asking, and answers a query', async () => {
    await using session = await connect(targetOf({}), PATIENT)
    expect(session.authenticationMethod).toBe('none')
    const [result] = await session.query('select 40 + 2 as answer', PATIENT)
    expect(result?.objects()).toEqual([{ answer: '42' }])
  })

  // electric-sql/pglite#989: it takes SSLRequest for the beginning of a message of 2 kB.
  it('does not answer SSLRequest, which costs the deadline and no more', async () => {
    const failure = await handshakeFailureOf(connect(targetOf({ sslmode: 'prefer' }), { timeoutMs: 300 }))
    expect(failure).toMatchObject({ phase: 'AwaitingTlsReply', failure: { kind: 'deadline' } })
  })

  it('is refused where authentication was required, and the next connect is let in', async () => {
    const careful = targetOf({ requireAuth: 'scram-sha-256', earlySasl: false })
    const failure = await handshakeFailureOf(connect(careful, PATIENT))
    expect(failure).toMatchObject({ phase: 'AwaitingAuthentication', failure: { kind: 'policy' } })
    await using session = await connect(targetOf({}), PATIENT)
    expect(session.phase).toBe('Idle')
  })

  /**
   * An early SASLInitialResponse reaches a backend that has let us in already. PostgreSQL's ends there, with FATAL 08P01 for
   * this one connection (postgres.c, SocketBackend). The one of PGlite cannot end: its loop swallows the exit and goes on for
   * ever (electric-sql/pglite#1058), so that nobody is served any more. For such a server, `earlySasl: false`.
   */
  it('does not get over an early SASLInitialResponse: we refuse, and the next connect is over in time', async () => {
    const failure = await handshakeFailureOf(connect(targetOf({ requireAuth: 'scram-sha-256' }), PATIENT))
    expect(failure).toMatchObject({ phase: 'AwaitingSaslOffer', failure: { kind: 'policy' } })
    const next = await handshakeFailureOf(connect(targetOf({}), { timeoutMs: 1_000 }))
    // It hangs, or it is told that the backend is gone: PGlite does either.
    expect(['deadline', 'lost']).toContain(next.failure.kind)
    expect(next.phase).toBe('AwaitingAuthentication')
  })
})

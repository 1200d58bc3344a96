/** What is agreed before the first query: versions, keys, parameters, and where nobody answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/index.ts'
import { Listener } from '../net/listener.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { handshakeFailureOf } from './expect-failure.ts'

let server: TestServer

beforeAll(async () => {
  server = await startServer({ version: '18' })
})

afterAll(() => server?.stop())

describe('the protocol version', () => {
  it('is 3.0 unless more is asked for, with a cancel key of four bytes', async () => {
    await using session = await connect(server.url())
    expect(session.protocolVersion).toBe('3.0')
    expect(session.backendKeyData?.secretKey).toHaveLength(4)
  })

  it.each(['3.2', 'latest'])('is 3.2 if %s is asked for, with a cancel key of 32 bytes', async (version) => {
    await using session = await connect(server.url({ parameters: { max_protocol_version: version } }))
    expect(session.protocolVersion).toBe('3.2')
    expect(session.backendKeyData?.secretKey).toHaveLength(32)
  })

  it('is 3.2 if nothing below will do', async () => {
    await using session = await connect(server.url({ parameters: { min_protocol_version: '3.2' } }))
    expect(session.protocolVersion).toBe('3.2')
  })
})

describe('an older server, asked for 3.2', () => {
  let older: TestServer | null = null
  let unavailable = ''

  beforeAll(async () => {
    // Another major than the one that npm installed: from a cache, or from npm.
    older = await startServer({ version: '15' }).catch((error: unknown) => {
      unavailable = String(error)
      return null
    })
  })

  afterAll(() => older?.stop())

  it('answers NegotiateProtocolVersion, and it is 3.0', async ({ skip }) => {
    if (older === null) return skip(unavailable)
    await using session = await connect(older.url({ parameters: { max_protocol_version: '3.2' } }))
    expect(session.protocolVersion).toBe('3.0')
    expect(session.backendKeyData?.secretKey).toHaveLength(4)
    const received = session.timeline.flatMap(({ state, messages }) => messages.map(({ name }) => `${state} ${name}`))
    expect(received).toContain('AwaitingAuthentication NegotiateProtocolVersion')
  })

  it('is told that 3.0 will not do, if it will not', async ({ skip }) => {
    if (older === null) return skip(unavailable)
    const error = await handshakeFailureOf(connect(older.url({ parameters: { min_protocol_version: '3.2' } })))
    expect(error).toMatchObject({
      phase: 'AwaitingAuthentication',
      failure: { kind: 'incompatible', offered: ['3.0'] },
      message:
        'nothing in common with the server in AwaitingAuthentication: protocol version: it offers 3.0; accepted here: 3.2 or later (minProtocolVersion)',
    })
  })
})

describe('what the server reports', () => {
  it('is there as soon as the session is', async () => {
    await using session = await connect(server.url({ parameters: { application_name: 'protocol test' } }))
    expect(session.parameters.get('server_version')).toContain(server.version)
    expect(session.parameters.get('client_encoding')).toBe('UTF8')
    expect(session.parameters.get('application_name')).toBe('protocol test')
    const [row] = await server.sql(
      "select pid, client_port from pg_stat_activity where application_name = 'protocol test'",
    )
    expect(row).toMatchObject({ pid: session.backendKeyData?.processId })
  })

  it('answers to the options that were sent along', async () => {
    const options = '-c application_name=two\\ words -c statement_timeout=4s'
    await using session = await connect(server.url({ parameters: { options } }))
    expect(session.parameters.get('application_name')).toBe('two words')
    const [result] = await session.query('show statement_timeout')
    expect(result?.rows).toEqual([['4s']])
  })
})

describe('where no server is', () => {
  it('the error names address and port', async () => {
    const port = await Listener.closedPort()
    const error = await handshakeFailureOf(connect({ host: '127.0.0.1', port, user: 'app' }))
    expect(error).toMatchObject({
      name: 'HandshakeError',
      phase: 'Dialing',
      failure: { kind: 'lost', code: 'ECONNREFUSED' },
      message: `the connection failed in Dialing: connect ECONNREFUSED 127.0.0.1:${port} (ECONNREFUSED); nobody listens there: check host and port, and that the server runs`,
      cause: expect.objectContaining({ name: 'TransportError', code: 'ECONNREFUSED' }),
    })
  })

  it('the error names the socket file', async () => {
    const error = await handshakeFailureOf(connect({ host: '/nonexistent', user: 'app' }))
    expect(error).toMatchObject({
      phase: 'Dialing',
      message:
        'the connection failed in Dialing: connect ENOENT /nonexistent/.s.PGSQL.5432 (ENOENT); there is no such socket: check directory and port, and that the server runs',
    })
  })

  it('the error names the host', async () => {
    const error = await handshakeFailureOf(connect('postgres://app@db.invalid/app'))
    expect(error).toMatchObject({ phase: 'ResolvingHost', failure: { kind: 'lost' } })
    expect(error.message).toMatch(
      /^the connection failed in ResolvingHost: getaddrinfo E\w+ db\.invalid \(E\w+\); (check the name of the host|the name server does not answer)/,
    )
  })

  it('but somebody who says nothing, the deadline ends it', async () => {
    await using listener = await Listener.tcp()
    const target = { host: '127.0.0.1', port: listener.port, user: 'app' }
    const error = await handshakeFailureOf(connect(target, { timeoutMs: 250 }))
    expect(error).toMatchObject({
      name: 'TimeoutError',
      phase: 'AwaitingTlsReply',
      message: 'the deadline of 250 ms passed in AwaitingTlsReply, waiting for the server to say whether it speaks TLS',
    })
    const peer = await listener.accept()
    peer.resume()
    await expect.poll(() => listener.connections).toBe(0)
  })
})

/** The generated handshakes themselves: those called lawful are, those called faulty end as they say, and a peer can speak them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connect, HandshakeError } from '../../../src/index.ts'
import {
  arbitraryFaultyHandshake,
  arbitraryHandshake,
  type FaultyHandshake,
  flightsWith,
  type Handshake,
  handshakeFaults,
  handshakeScript,
} from '../../../src/testing/arbitraries/index.ts'
import { CERTIFICATE_SIGNATURES } from '../../../src/testing/certificate-shape.ts'
import { HostileServer, issueCertificate } from '../../../src/testing/index.ts'
import { check, checkAsync } from '../../properties/check.ts'
import { play } from './play.ts'

describe('a generated handshake', () => {
  it('ends in a session that has what the server said', () => {
    check(
      fc.property(arbitraryHandshake(), (handshake) => {
        const { state } = play(handshake, handshake.flights)
        expect(state).toMatchObject({
          name: 'Ready',
          greeting: { protocolVersion: handshake.negotiated },
          parameters: handshake.profile.parameters,
          authenticationMethod: handshake.profile.method === 'trust' ? 'none' : handshake.profile.method,
        })
        if (state.name !== 'Ready') return
        expect(state.greeting.tls !== null).toBe(handshake.isSecured)
        expect(state.greeting.notices).toHaveLength(handshake.profile.notices.length)
        const key = state.backendKeyData?.secretKey
        expect(key?.length).toBe(
          handshake.profile.pooler === 'keyless' ? undefined : handshake.negotiated === '3.0' ? 4 : 32,
        )
      }),
      300,
    )
  })

  it('is what the client in it says, message by message', () => {
    check(
      fc.property(arbitraryHandshake(), (handshake) => {
        expect(play(handshake, handshake.flights).sent).toEqual(handshake.flights.map(({ waitsFor }) => waitsFor))
      }),
    )
  })

  it('comes in every kind', () => {
    const kinds = new Set<string>()
    const flags = new Set<string>()
    const signatures = new Set<string>()
    let directs = 0
    const handshakes = fc.sample(arbitraryHandshake(), { numRuns: 2_000, seed: 1 })
    for (const { profile, client, exchange, isSecured, negotiated } of handshakes) {
      kinds.add(`${profile.method} ${isSecured ? 'TLS' : 'plain'} ${negotiated}`)
      if (exchange !== null && isSecured) flags.add(`${exchange.flag} ${client.channelBinding}`)
      if (exchange?.flag === 'p') signatures.add(profile.signature)
      directs += client.directTls ? 1 : 0
    }
    expect(kinds.size).toBe(4 * 2 * 2)
    expect([...flags].sort()).toEqual(['n disable', 'p prefer', 'p require', 'y prefer'])
    expect([...signatures].sort()).toEqual(CERTIFICATE_SIGNATURES.filter((one) => one !== 'Ed25519').sort())
    expect(directs).toBeGreaterThan(10)
  })

  it('with a fault never ends in a session, but as the fault says', () => {
    check(
      fc.property(arbitraryFaultyHandshake(), ({ honest, flights, fault }) => {
        expectVerdict(honest, flights, fault)
      }),
      300,
    )
  })

  it('can have any of its faults', () => {
    for (const honest of fc.sample(arbitraryHandshake(), { numRuns: 8, seed: 7 })) {
      for (const fault of handshakeFaults(honest)) expectVerdict(honest, flightsWith(honest, fault), fault)
    }
  })
})

describe('a generated handshake as a script', () => {
  const tls = issueCertificate({ commonName: 'localhost', names: ['127.0.0.1'] })

  it('leads a client that draws its own nonce into a session', async () => {
    await checkAsync(
      fc.asyncProperty(arbitraryHandshake(), async (handshake) => {
        await using server = await HostileServer.listen(handshakeScript(handshake, tls))
        const session = await connect(targetOf(server, handshake))
        expect(session.authenticationMethod).toBe(
          handshake.profile.method === 'trust' ? 'none' : handshake.profile.method,
        )
        expect(session.tls !== null).toBe(handshake.isSecured)
        session.close({ timeoutMs: 0 }).catch(() => {})
      }),
      25,
    )
  })

  it('with a fault ends as the fault says', async () => {
    await checkAsync(
      fc.asyncProperty(arbitraryFaultyHandshake(), async (faulty: FaultyHandshake) => {
        await using server = await HostileServer.listen(handshakeScript(faulty, tls))
        const error = await connect(targetOf(server, faulty.honest)).then(
          () => null,
          (reason: unknown) => reason,
        )
        expect(error).toBeInstanceOf(HandshakeError)
        if (error instanceof HandshakeError)
          expect(faulty.fault.verdicts).toContain(error.attempts[0]?.failure.kind ?? error.failure.kind)
      }),
      40,
    )
  })
})

function expectVerdict(honest: Handshake, flights: FaultyHandshake['flights'], fault: FaultyHandshake['fault']): void {
  const { state } = play(honest, flights)
  const verdict = state.name === 'Failed' ? state.failure.kind : state.name
  expect(fault.verdicts, `${fault.title}: ${state.name === 'Failed' ? JSON.stringify(state) : ''}`).toContain(verdict)
}

function targetOf(server: HostileServer, { client, scram }: Handshake) {
  const url = new URL(server.url())
  return {
    host: url.hostname,
    port: Number(url.port),
    user: client.user,
    dbname: client.database,
    password: scram.password.given,
    sslnegotiation: client.directTls ? 'direct' : 'postgres',
    channelBinding: client.channelBinding,
    sslmode: client.encryption === 'off' ? 'disable' : client.encryption === 'preferred' ? 'prefer' : 'require',
    maxProtocolVersion: client.protocolVersion,
    allowCleartextPassword: true,
  } as const
}

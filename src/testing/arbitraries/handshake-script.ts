/**
 * A generated handshake as a script for a `Peer`: with it, a client that is not ours and draws its own nonce can be led through
 * any of them, over whatever line the peer stands on.
 */
import { X509Certificate } from 'node:crypto'
import type { Peer, Script } from '../peer.ts'
import type { ServerTlsOptions } from '../server-tls.ts'
import { type FaultyHandshake, faultyHandshake } from './faulty-handshake.ts'
import { type Awaited, completeHandshake, type Handshake } from './handshake.ts'

/**
 * The server of this handshake. With a faulty one it closes the connection at the end. `tls` is needed where the profile speaks
 * TLS; its certificate stands in for that of the profile.
 *
 * @example
 * const server = await HostileServer.listen(handshakeScript(handshake, issueCertificate({ commonName: 'localhost' })))
 */
export function handshakeScript(handshake: Handshake | FaultyHandshake, tls?: ServerTlsOptions): Script {
  return async (peer) => {
    const isFaulty = 'fault' in handshake
    let honest = isFaulty ? handshake.honest : handshake
    if (tls !== undefined) {
      const certificate = new X509Certificate(tls.certificate).raw
      // Ours are signed with ECDSA and SHA-256.
      const profile = { ...honest.profile, certificate, signature: 'ecdsa-with-SHA256' } as const
      honest = completeHandshake({ ...honest, profile })
    }
    if (honest.client.directTls) await startTls(peer)
    const flightsOf = () => (isFaulty ? faultyHandshake(honest, handshake.choice) : honest).flights

    for (let index = 0; index < flightsOf().length; index++) {
      const { waitsFor } = flightsOf()[index] as { waitsFor: Awaited }
      const clientFirst = await expect(peer, waitsFor)
      if (clientFirst !== null) honest = answering(honest, clientFirst)
      const bytes = flightsOf()[index]?.bytes ?? Buffer.alloc(0)
      await peer.sendBytes(bytes)
      if (waitsFor === 'SSLRequest' && bytes.toString('latin1') === 'S') await startTls(peer)
    }
    if (isFaulty) peer.fin()
  }

  async function startTls(peer: Peer): Promise<void> {
    if (tls === undefined) throw new TypeError('a handshake in TLS needs a certificate')
    await peer.startTls(tls)
  }
}

/** client-first-message, if that is what was waited for. */
async function expect(peer: Peer, awaited: Awaited): Promise<Buffer | null> {
  if (awaited === 'SSLRequest' || awaited === 'StartupMessage') {
    await peer.expectStartup()
    return null
  }
  const message = await peer.expectMessage(awaited)
  return message.type === 'SASLInitialResponse' ? Buffer.from(message.data ?? []) : null
}

/** The same handshake with a client that has this name and nonce. Its flag is taken as it is said. */
function answering(handshake: Handshake, clientFirst: Buffer): Handshake {
  const [, userName = '', clientNonce = ''] = /^[^,]*,[^,]*,n=([^,]*),r=([^,]*)/.exec(clientFirst.toString()) ?? []
  return completeHandshake({ ...handshake, scram: { ...handshake.scram, userName, clientNonce } })
}

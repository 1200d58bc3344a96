/**
 * The lawful way to a state: what an honest server does until the client waits there. Attacks begin where it ends.
 */
import type { BackendMessage } from '../protocol/backend.ts'
import { PASSWORD } from './attack.ts'
import type { Peer } from './peer.ts'
import { type ScramOptions, ScramServer } from './scram-server.ts'

/** The states in which a client waits for a server's message. */
export const WAITING = [
  'AwaitingAuthentication',
  'AwaitingSaslChallenge',
  'AwaitingSaslOutcome',
  'AwaitingVerdict',
  'AwaitingReady',
] as const

export type Waiting = (typeof WAITING)[number]

/** The client's messages until it waits in a state, after SCRAM. */
export const SENT: Readonly<Record<Waiting, readonly string[]>> = {
  AwaitingAuthentication: ['StartupMessage'],
  AwaitingSaslChallenge: ['StartupMessage', 'SASLInitialResponse'],
  AwaitingSaslOutcome: ['StartupMessage', 'SASLInitialResponse', 'SASLResponse'],
  AwaitingVerdict: ['StartupMessage', 'SASLInitialResponse', 'SASLResponse'],
  AwaitingReady: ['StartupMessage', 'SASLInitialResponse', 'SASLResponse'],
}

/** What an honest server says between AuthenticationOk and ReadyForQuery. */
export const GREETING: readonly BackendMessage[] = [
  { type: 'ParameterStatus', name: 'server_version', value: '18.4' },
  { type: 'ParameterStatus', name: 'client_encoding', value: 'UTF8' },
  { type: 'BackendKeyData', processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) },
]

/** Lead a client to a state with SCRAM, honestly but for what `scram` replaces. */
export async function approach(peer: Peer, state: Waiting, scram: Partial<ScramOptions> = {}): Promise<void> {
  await peer.expectStartup()
  await approachStarted(peer, state, scram)
}

/** The same behind the StartupMessage. */
export async function approachStarted(peer: Peer, state: Waiting, scram: Partial<ScramOptions> = {}): Promise<void> {
  const server = new ScramServer({ password: PASSWORD, ...scram })
  const distance = WAITING.indexOf(state)
  if (distance < 1) return
  await peer.send({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] })
  const initial = await peer.expectMessage('SASLInitialResponse')
  const challenge = server.first(
    initial.type === 'SASLInitialResponse' ? (initial.data ?? Buffer.alloc(0)) : Buffer.alloc(0),
  )
  if (distance < 2) return
  await peer.send({ type: 'AuthenticationSASLContinue', data: challenge })
  const response = await peer.expectMessage('SASLResponse')
  if (distance < 3) return
  await peer.send({
    type: 'AuthenticationSASLFinal',
    data: server.final(response.type === 'SASLResponse' ? response.data : Buffer.alloc(0)),
  })
  if (distance < 4) return
  await peer.send({ type: 'AuthenticationOk' })
}

/** Lead a client to AwaitingReady without asking for a password. */
export async function approachTrusted(peer: Peer): Promise<void> {
  await peer.expectStartup()
  await peer.send({ type: 'AuthenticationOk' })
}

/** Lead a client to AwaitingVerdict with the old method, which proves nothing to it. */
export async function approachMd5(peer: Peer): Promise<void> {
  await peer.expectStartup()
  await peer.send({ type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) })
  await peer.expectMessage()
}

/**
 * An honest server that asks for PASSWORD with SCRAM, whoever comes, and lets him in: to see that a client connects at all.
 *
 * @example
 * await using server = await HostileServer.listen(honestLogin)
 */
export async function honestLogin(peer: Peer): Promise<void> {
  await approach(peer, 'AwaitingReady')
  await peer.send(...GREETING, { type: 'ReadyForQuery', status: 'I' })
  // Terminate.
  await peer.expectMessage()
  peer.fin()
}

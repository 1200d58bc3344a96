/**
 * The places where a connect can stall, as data: who stands at the other end, and by which words an error tells this place
 * from the others. What is asked of the clients is the same everywhere: be ready, within the deadline.
 */
import { approach, approachMd5, approachTrusted, GREETING } from '../../src/testing/approach.ts'
import { encodeBackend, frame } from '../../src/testing/encode-backend.ts'
import type { Peer, Script } from '../../src/testing/peer.ts'

/**
 * Where the time goes, and what names it. Generous: any word that belongs there will do. Two places in which a client waits
 * for the same thing have the same stage.
 */
export const STAGES = {
  nothing: /$^/,
  lookup: /look ?up|resolv|getaddrinfo|translate host name|ENOTFOUND|EAI_/i,
  dial: /dial|connect|tcp|unreachable|ETIMEDOUT/i,
  tlsReply: /ssl|tls/i,
  tls: /ssl|tls|secur|certificate/i,
  startup: /startup|authenticat/i,
  verdict: /verdict|authenticat|password|login/i,
  challenge: /sasl|scram|challenge/i,
  derivation: /deriv|iteration|pbkdf2|salted/i,
  signature: /sasl|scram|signature/i,
  parameters: /parameter|ready|backend|notice/i,
  sessionCheck: /session|target_session_attrs|read.only|recovery|standby/i,
} as const satisfies Readonly<Record<string, RegExp>>

export type Stage = keyof typeof STAGES

/** One host of a target: a name that is never resolved, an address that never answers, or a server that does this. */
export type Host = 'unresolvable' | 'black hole' | Script

export interface Block {
  /** From the call. */
  readonly afterMs: number
  readonly durationMs: number
}

export interface Place {
  /** Stable: what --only takes. */
  readonly id: string
  readonly title: string
  readonly stage: Stage
  readonly hosts: readonly Host[]
  /** TLS is required. Default: none. */
  readonly tls?: boolean
  /** target_session_attrs=read-write. */
  readonly readWrite?: boolean
  /** The client is told to accept this many iterations, if it has a bound. */
  readonly iterationsMax?: number | null
  /** The client's process blocks its own event loop. */
  readonly block?: Block | null
}

/** Seconds of work on any machine. */
const ITERATIONS = 12_000_000
const BLOCK = { afterMs: 500, durationMs: 1_000 }

const notice = encodeBackend({
  type: 'NoticeResponse',
  fields: [
    { code: 'S', value: 'NOTICE' },
    { code: 'C', value: '00000' },
    { code: 'M', value: 'still here' },
  ],
})
const parameter = encodeBackend({ type: 'ParameterStatus', name: 'application_name', value: 'x' })

export const PLACES: readonly Place[] = [
  { id: 'none', title: 'none: an honest server', stage: 'nothing', hosts: [serve] },
  { id: 'name-lookup', title: 'name lookup', stage: 'lookup', hosts: ['unresolvable'] },
  { id: 'tcp', title: 'TCP connect', stage: 'dial', hosts: ['black hole'] },
  { id: 'ssl-request', title: 'reply to SSLRequest', stage: 'tlsReply', tls: true, hosts: [(peer) => peer.silence()] },
  {
    id: 'tls',
    title: 'TLS handshake',
    stage: 'tls',
    tls: true,
    hosts: [
      async (peer) => {
        await peer.expectStartup()
        await peer.sendBytes('S')
      },
    ],
  },
  { id: 'startup', title: 'after StartupMessage', stage: 'startup', hosts: [(peer) => peer.silence()] },
  { id: 'md5', title: 'verdict on an MD5 password', stage: 'verdict', hosts: [approachMd5] },
  {
    id: 'scram-challenge',
    title: 'SCRAM challenge',
    stage: 'challenge',
    hosts: [(peer) => approach(peer, 'AwaitingSaslChallenge')],
  },
  {
    id: 'iterations',
    title: 'key derivation (12 M iterations)',
    stage: 'derivation',
    hosts: [(peer) => approach(peer, 'AwaitingSaslOutcome', { iterations: ITERATIONS })],
  },
  {
    id: 'iterations-allowed',
    title: 'the same, limit raised',
    stage: 'derivation',
    iterationsMax: 2 * ITERATIONS,
    hosts: [(peer) => approach(peer, 'AwaitingSaslOutcome', { iterations: ITERATIONS })],
  },
  {
    id: 'scram-final',
    title: "server's SCRAM signature",
    stage: 'signature',
    hosts: [(peer) => approach(peer, 'AwaitingSaslOutcome', { iterations: 4_096 })],
  },
  {
    id: 'ok',
    title: 'AuthenticationOk after SCRAM',
    stage: 'verdict',
    hosts: [(peer) => approach(peer, 'AwaitingVerdict', { iterations: 4_096 })],
  },
  {
    id: 'parameters',
    title: 'parameters, no ReadyForQuery',
    stage: 'parameters',
    hosts: [
      async (peer) => {
        await approachTrusted(peer)
        await peer.send(...GREETING)
      },
    ],
  },
  { id: 'session-check', title: 'target_session_attrs query', stage: 'sessionCheck', readWrite: true, hosts: [check] },
  {
    id: 'drip-bytes',
    title: 'drip: a byte every 100 ms',
    stage: 'startup',
    hosts: [
      async (peer) => {
        await peer.expectStartup()
        // An ErrorResponse whose end never comes.
        await peer.sendBytes(frame('E', Buffer.from('SFATAL\0C57P03\0M'), 30_000))
        await peer.trickle(Buffer.from('x'), 100)
      },
    ],
  },
  {
    id: 'drip-notices',
    title: 'drip: a notice every 100 ms',
    stage: 'parameters',
    hosts: [
      async (peer) => {
        await approachTrusted(peer)
        await peer.trickle(notice, 100)
      },
    ],
  },
  { id: 'flood-parameters', title: 'flood of ParameterStatus', stage: 'parameters', hosts: [floodOf(parameter)] },
  { id: 'flood-notices', title: 'flood of NoticeResponse', stage: 'parameters', hosts: [floodOf(notice)] },
  {
    id: 'loop-silent',
    title: 'own loop blocked, no answer',
    stage: 'startup',
    block: BLOCK,
    hosts: [(peer) => peer.silence()],
  },
  {
    id: 'loop-answered',
    title: 'own loop blocked, answered in time',
    stage: 'startup',
    block: BLOCK,
    hosts: [
      async (peer) => {
        await peer.expectStartup()
        await peer.pause(BLOCK.afterMs + 200)
        await welcome(peer)
      },
    ],
  },
  {
    id: 'second-host',
    title: 'black hole, then an honest server',
    stage: 'dial',
    hosts: ['black hole', serve],
  },
  {
    id: 'silent-hosts',
    title: 'three silent hosts',
    stage: 'startup',
    hosts: [(peer) => peer.silence(), (peer) => peer.silence(), (peer) => peer.silence()],
  },
]

/** An honest server of one row. */
async function serve(peer: Peer): Promise<void> {
  await peer.expectStartup()
  await welcome(peer)
}

async function welcome(peer: Peer): Promise<void> {
  await peer.send(
    { type: 'AuthenticationOk' },
    ...GREETING,
    { type: 'ParameterStatus', name: 'in_hot_standby', value: 'off' },
    { type: 'ParameterStatus', name: 'default_transaction_read_only', value: 'off' },
    { type: 'ReadyForQuery', status: 'I' },
  )
  while ((await peer.expectMessage()).type === 'Query') {
    await peer.send(
      { type: 'RowDescription', columns: [{ ...COLUMN, name: 'one' }] },
      { type: 'DataRow', values: [Buffer.from('1')] },
      { type: 'CommandComplete', commandTag: 'SELECT 1' },
      { type: 'ReadyForQuery', status: 'I' },
    )
  }
  peer.fin()
}

const COLUMN = { tableOid: 0, attributeNumber: 0, typeOid: 23, typeSize: 4, typeModifier: -1, format: 0 }

/** A server before version 14, which says by itself neither whether it is a standby nor whether it is read-only. */
async function check(peer: Peer): Promise<void> {
  await approachTrusted(peer)
  await peer.send(
    { type: 'ParameterStatus', name: 'server_version', value: '13.22' },
    { type: 'ParameterStatus', name: 'client_encoding', value: 'UTF8' },
    { type: 'BackendKeyData', processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) },
    { type: 'ReadyForQuery', status: 'I' },
  )
}

function floodOf(message: Buffer): Script {
  const segment = Buffer.concat(Array.from({ length: Math.ceil(65_536 / message.length) }, () => message))
  return async (peer) => {
    await approachTrusted(peer)
    await peer.flood(segment)
  }
}

/**
 * What must hold of every server and pooler, as far as a client can see it before it has a session. Each of them is written
 * down in the manual; nothing is generated here, arbitraries/server-properties.ts has what is.
 */
import { connect } from '../connect.ts'
import { encodeStartup, type StartupPacket } from '../protocol/startup.ts'
import type { ServerAddress } from './adapter.ts'
import { type Answer, ask, describeAnswer, vanish } from './ask.ts'
import type { Property, Terms, Trial } from './examine.ts'
import { FaultProxy } from './fault-proxy.ts'

const GREASE = 0x0003_270f // 3.9999
const LEAVING_MS = 500

export const SERVER_PROPERTIES: readonly Property<ServerAddress>[] = [
  {
    id: 'server/byte-by-byte',
    statement: 'A handshake that comes byte by byte ends as one that comes at once.',
    source: '#PROTOCOL-MESSAGE-CONCEPTS: messages are separated by their length, and by nothing that TCP does',
    async examine(server, terms) {
      const whole = await connectThrough(server, [], terms)
      const plan = Array.from({ length: 1_000 }, (_, at) => ({ direction: 'toServer', at, do: 'split' }) as const)
      const cut = await connectThrough(server, plan, terms)
      return [sameEnding('every byte in a segment of its own', whole, cut)]
    },
  },
  {
    id: 'server/encryption-request',
    statement: 'SSLRequest and GSSENCRequest are answered: one byte that says yes or no, or an error.',
    source: '#PROTOCOL-FLOW-SSL, #PROTOCOL-FLOW-GSSAPI',
    async examine(server, terms) {
      const trials: Trial[] = []
      for (const [type, yes] of [
        ['SSLRequest', 'S'],
        ['GSSENCRequest', 'G'],
      ] as const) {
        const answer = await ask(server, encodeStartup({ type }), { ...terms, until: ({ bytes }) => bytes.length > 0 })
        const said = answer.bytes.toString('latin1', 0, 1)
        // A server before PostgreSQL 12 does not know GSSENCRequest, and closes with an error or without.
        const isRight = said === yes || said === 'N' || said === 'E' || answer.isClosed
        const outcome = said === '' ? (answer.isClosed ? 'closed' : 'silence') : `'${said}'`
        trials.push({ trial: type, outcome, wrong: isRight ? null : wrongAnswer(answer) })
      }
      return trials
    },
  },
  {
    id: 'server/protocol-version',
    statement:
      'A minor version that the server does not have is answered by NegotiateProtocolVersion with an older one.',
    source: '#PROTOCOL-FLOW-START-UP, #PROTOCOL-MESSAGE-FORMATS-NEGOTIATEPROTOCOLVERSION',
    async examine(server, terms) {
      const trials: Trial[] = []
      for (const protocolVersion of [0x0003_0002, GREASE]) {
        const answer = await begin(server, startupOf(server, { protocolVersion }), terms)
        const [first] = answer.messages
        const negotiated = first?.type === 'NegotiateProtocolVersion' ? first.newestVersion : null
        const isTaken = negotiated === null && first?.type.startsWith('Authentication') === true
        // 3.9999 is reserved for finding out who does not negotiate: no server has it.
        const isRight = negotiated === null ? isTaken && protocolVersion !== GREASE : negotiated < protocolVersion
        const outcome = negotiated === null ? (isTaken ? 'taken' : 'neither') : `negotiated 3.${negotiated & 0xffff}`
        const trial = `a StartupMessage of version 3.${protocolVersion & 0xffff}`
        trials.push({ trial, outcome, wrong: isRight ? null : wrongAnswer(answer) })
      }
      return trials
    },
  },
  {
    id: 'server/unknown-option',
    statement: 'An option of the protocol that the server does not know is named in NegotiateProtocolVersion.',
    source: '#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE: names that begin with _pq_. are reserved for them',
    async examine(server, terms) {
      const name = '_pq_.no_such_option'
      const answer = await begin(server, startupOf(server, { more: [{ name, value: '1' }] }), terms)
      const negotiation = answer.messages.find((message) => message.type === 'NegotiateProtocolVersion')
      const isNamed = negotiation?.unrecognizedOptions.includes(name) === true
      return [{ trial: name, outcome: isNamed ? 'named' : 'not named', wrong: isNamed ? null : wrongAnswer(answer) }]
    },
  },
  {
    id: 'server/cancel-request',
    statement: 'A CancelRequest for nobody is answered by closing the connection, without a word.',
    source: '#PROTOCOL-FLOW-CANCELING-REQUESTS',
    async examine(server, terms) {
      const secretKey = Buffer.from([1, 2, 3, 4])
      const answer = await ask(server, encodeStartup({ type: 'CancelRequest', processId: 1, secretKey }), terms)
      const isRight = answer.isClosed && answer.bytes.length === 0
      const outcome = answer.isClosed ? 'closed' : 'still open'
      return [{ trial: 'a CancelRequest', outcome, wrong: isRight ? null : wrongAnswer(answer) }]
    },
  },
  {
    id: 'server/vanishing-client',
    statement: 'Clients that vanish, behind any byte of their StartupMessage, take no place from those that come then.',
    source: '#PROTOCOL-FLOW-TERMINATION: the server notices that the connection is gone, and cleans up',
    async examine(server, terms) {
      const bytes = encodeStartup(startupOf(server))
      const trials: Trial[] = []
      for (const how of ['FIN', 'RST'] as const) {
        for (let at = 0; at <= bytes.length; at++) await vanish(server, bytes.subarray(0, at), how, terms.patienceMs)
        const ending = await connectThrough(server, [], terms)
        const trial = `${bytes.length + 1} clients that leave with a ${how}`
        trials.push({ trial, outcome: `the next one: ${ending}`, wrong: wrongUnlessConnected(ending) })
      }
      return trials
    },
  },
]

/** A StartupMessage for whom this server knows. */
export function startupOf(
  { user, database }: ServerAddress,
  {
    protocolVersion = 0x0003_0000,
    more = [],
  }: { readonly protocolVersion?: number; readonly more?: readonly { name: string; value: string }[] } = {},
): StartupPacket {
  const parameters = [{ name: 'user', value: user }, { name: 'database', value: database }, ...more]
  return { type: 'StartupMessage', protocolVersion, parameters }
}

/** Until the server waits for us, or has said no. */
export function begin(server: ServerAddress, startup: StartupPacket, { patienceMs }: Terms): Promise<Answer> {
  return ask(server, encodeStartup(startup), { patienceMs, until: ({ messages }) => messages.some(isTurn) })
}

/** Behind these the server says no more until it is answered. */
export function isTurn({ type }: Answer['messages'][number]): boolean {
  if (type === 'ReadyForQuery' || type === 'ErrorResponse') return true
  return type.startsWith('Authentication') && type !== 'AuthenticationOk' && type !== 'AuthenticationSASLFinal'
}

/** A whole handshake of ours with the server, over a path that does as the plan says. 'connected', or how it ended. */
export async function connectThrough(
  { host, port, user, password, database }: ServerAddress,
  plan: Parameters<typeof FaultProxy.listen>[1][number],
  { patienceMs }: Terms,
): Promise<string> {
  await using proxy = await FaultProxy.listen({ host, port }, [plan])
  const target = { host: proxy.host, port: proxy.port, user, password, dbname: database }
  const settings = { sslmode: 'disable', allowCleartextPassword: true } as const
  try {
    const session = await connect({ ...target, ...settings }, { timeoutMs: patienceMs })
    // Not every server closes when it is told Terminate, and nothing is asked of it here.
    await session.close({ timeoutMs: Math.min(patienceMs, LEAVING_MS) })
    return 'connected'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export function sameEnding(trial: string, whole: string, cut: string): Trial {
  const isSame = whole === cut
  return {
    trial,
    outcome: isSame ? 'the same' : 'another',
    wrong: isSame ? null : `at once: ${whole}; in pieces: ${cut}`,
  }
}

export function wrongAnswer(answer: Answer): string {
  return `the answer is: ${describeAnswer(answer)}`
}

function wrongUnlessConnected(ending: string): string | null {
  return ending === 'connected' ? null : `the next one is not let in: ${ending}`
}

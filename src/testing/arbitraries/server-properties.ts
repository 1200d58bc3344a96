/** What must hold of every server, whatever a client sends to it: cases are generated, and made smaller when one fails. */
import fc from 'fast-check'
import { encodeStartup } from '../../protocol/startup.ts'
import type { ServerAddress } from '../adapter.ts'
import { ask } from '../ask.ts'
import type { Property, Terms, Trial } from '../examine.ts'
import { begin, connectThrough, isTurn, sameEnding, startupOf, wrongAnswer } from '../server-properties.ts'
import { arbitraryDamage } from './damage.ts'
import { generateTrials } from './generate-trials.ts'
import { arbitraryStartupParameters, type StartupParameter } from './startup-parameters.ts'

/** About what a client sends in a handshake with SCRAM. */
const HANDSHAKE_BYTES = 400
const TLS_HANDSHAKE = 0x16

export const GENERATED_SERVER_PROPERTIES: readonly Property<ServerAddress>[] = [
  {
    id: 'server/segmentation',
    statement: 'However a handshake is cut into segments, it ends as one that comes in whole messages.',
    source: '#PROTOCOL-MESSAGE-CONCEPTS: messages are separated by their length, and by nothing that TCP does',
    async examine(server, terms) {
      const whole = await connectThrough(server, [], terms)
      const places = fc.uniqueArray(fc.nat(HANDSHAKE_BYTES), { minLength: 1, maxLength: 12 })
      return generateTrials(places, terms, async (cuts) => {
        const plan = cuts.map((at) => ({ direction: 'toServer', at, do: 'split' }) as const)
        return sameEnding(JSON.stringify(plan), whole, await connectThrough(server, plan, terms))
      })
    },
  },
  {
    id: 'server/startup',
    statement:
      'Every lawful StartupMessage is answered: by messages, up to ReadyForQuery, a request to authenticate or an error.',
    source: '#PROTOCOL-FLOW-START-UP',
    examine(server, terms) {
      const attempt = async (parameters: readonly StartupParameter[]): Promise<Trial> => {
        const startup = { type: 'StartupMessage', protocolVersion: 0x0003_0000, parameters } as const
        const answer = await begin(server, startup, terms)
        const turn = answer.messages.find(isTurn)
        const isRight = turn !== undefined && answer.malformed === null
        const trial = JSON.stringify(parameters)
        return { trial, outcome: turn?.type ?? 'no answer', wrong: isRight ? null : wrongAnswer(answer) }
      }
      return generateTrials(arbitraryStartupParameters(), terms, attempt, () => letsIn(server, terms))
    },
  },
  {
    id: 'server/garbage',
    statement: 'Whoever sends garbage and closes his side is closed as well; what he is told before is messages.',
    source:
      '#PROTOCOL-FLOW-TERMINATION, #PROTOCOL-MESSAGE-CONCEPTS: who has lost synchronization closes the connection',
    examine(server, terms) {
      const startup = fc.constant(encodeStartup(startupOf(server)))
      const garbage = fc.oneof(
        arbitraryDamage(startup),
        fc.uint8Array({ minLength: 1, maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
        fc
          .constantFrom('GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01', '\0\0\0\x04', '\0\0\0\0\0\0\0\0')
          .map((text) => Buffer.from(text, 'latin1')),
      )
      const attempt = async (bytes: Buffer): Promise<Trial> => {
        const answer = await ask(server, bytes, { ...terms, fin: true })
        // A server with TLS takes the first byte of a ClientHello for one, and answers with records.
        const isRight = answer.isClosed && (answer.malformed === null || bytes[0] === TLS_HANDSHAKE)
        const outcome = answer.isClosed ? (answer.messages.at(-1)?.type ?? 'closed') : 'still open'
        return { trial: bytes.toString('hex'), outcome, wrong: isRight ? null : wrongAnswer(answer) }
      }
      return generateTrials(garbage, terms, attempt, () => letsIn(server, terms))
    },
  },
]

async function letsIn(server: ServerAddress, terms: Terms): Promise<boolean> {
  return (await connectThrough(server, [], terms)) === 'connected'
}

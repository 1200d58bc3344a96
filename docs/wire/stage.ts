/**
 * Where a transcript happens: connects, asks what is to be asked, and closes, with everything under control but the network, which
 * is a real server when it is recorded and the transcript itself when it is tested. It keeps what was said, in which state.
 */
import type { Runtime } from '../../src/attempt.ts'
import { type Dissection, Dissector, dissectAll } from '../../src/cli/dissect.ts'
import { connectWith } from '../../src/connect.ts'
import type { Transport } from '../../src/net/transport.ts'
import type { Session } from '../../src/session.ts'
import { HandshakeError } from '../../src/state/errors.ts'
import type { TlsFacts } from '../../src/state/handshake/states.ts'
import { SESSION_TABLE } from '../../src/state/session/table.ts'
import type { Facts, Section, Step } from './transcript.ts'

/** What is done once there is a session. `isAsleep` settles when its query sleeps. */
export type Act = (session: Session, isAsleep: () => Promise<void>) => Promise<void>

/** The world but for its observer and its randomness. */
export interface StageRuntime extends Omit<Runtime, 'observe' | 'randomBytes'> {
  readonly isAsleep: () => Promise<void>
}

export interface Played {
  readonly sections: readonly Section[]
  /** What came of TLS; null: there was none. */
  readonly tls: TlsFacts | null
}

/** Play, and tell what happened. A connect that fails is an end as good as any. */
export async function play(runtime: StageRuntime, facts: Facts, act: Act): Promise<Played> {
  const script = new Script()
  let tls: TlsFacts | null = null
  const randomBytes = (lengthBytes: number) => {
    const bytes = Buffer.from(facts.randomBytes, 'hex')
    if (lengthBytes !== bytes.length)
      throw new Error(`the facts have ${bytes.length} random bytes, wanted ${lengthBytes}`)
    return bytes
  }
  const watched: Runtime = {
    ...runtime,
    randomBytes,
    dial: async (destination, deadline) => script.listenIn(await runtime.dial(destination, deadline)),
    observe: (observation) => {
      switch (observation.type) {
        case 'attemptBegun':
          return script.begin()
        case 'stateEntered':
          return script.enter(observation.state)
        case 'message':
          return script.say({ direction: observation.direction, bytes: Buffer.from(observation.bytes) })
        case 'attemptEnded':
          return script.end(observation.failure !== null)
        case 'tlsEstablished':
          tls = observation.tls
          return undefined
        default:
          return undefined
      }
    },
  }
  try {
    const session = await connectWith(watched, facts.target, {})
    await act(session, runtime.isAsleep)
    await session.close()
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
  }
  return { sections: script.sections, tls }
}

/** Writes down what happens. */
class Script {
  readonly #sections: { connection: number; states: string[]; steps: Step[] }[] = []
  #connections = 0
  #connection = 0
  /** The connection whose handshake is under way: handshakes are observed, and of a session only its bytes are seen. */
  #handshaking: number | null = null
  /** What a session said while another connection was in its handshake: it is told afterwards. */
  #meanwhile: (() => void)[] = []
  #sessionState: keyof typeof SESSION_TABLE = 'Idle'

  get sections(): Section[] {
    return this.#sections
  }

  begin(): void {
    this.#connections += 1
    this.#connection = this.#connections
    this.#handshaking = this.#connection
  }

  enter(state: string): void {
    const last = this.#sections.at(-1)
    // States in which nothing was said share a heading.
    if (last?.connection === this.#connection && last.steps.length === 0) last.states.push(state)
    else this.#sections.push({ connection: this.#connection, states: [state], steps: [] })
  }

  say(step: Step): void {
    this.#sections.at(-1)?.steps.push(step)
  }

  end(hasFailed: boolean): void {
    if (hasFailed) this.enter('Failed')
    this.#handshaking = null
    this.#connection = 1
    for (const tell of this.#meanwhile.splice(0)) tell()
  }

  /** A transport whose bytes are written down once the handshake is over. */
  listenIn(transport: Transport): Transport {
    const dissector = new Dissector()
    const connection = this.#connection
    const inTurn = (tell: () => void) => {
      if (this.#handshaking === null) tell()
      else this.#meanwhile.push(tell)
    }
    const hear = (direction: 'sent' | 'received', bytes: Buffer) => {
      if (this.#handshaking === connection) return
      const messages = [...dissectAll(direction, bytes, dissector)]
      inTurn(() => {
        for (const message of messages) this.#sayInSession(direction, message)
      })
    }
    const close = () => {
      const tell = () => this.say({ direction: 'received', bytes: null })
      if (this.#handshaking === connection) tell()
      else inTurn(tell)
    }
    return {
      remote: transport.remote,
      enterSession: () => transport.enterSession(),
      destroy: () => transport.destroy(),
      startTls: (options, signal) => transport.startTls(options, signal),
      onChange: (listener) => transport.onChange(listener),
      isFull: () => transport.isFull(),
      take: () => {
        const taken = transport.take()
        if (taken === 'end') close()
        else if (taken !== 'nothing yet') hear('received', taken)
        return taken
      },
      write: (bytes) => {
        hear('sent', bytes)
        transport.write(bytes)
      },
    }
  }

  /** What is sent belongs to the state to which it leads, what is received to the one in which it is read: as in the handshake. */
  #sayInSession(direction: 'sent' | 'received', { name, bytes }: Dissection): void {
    const event = direction === 'sent' ? `Send${name}` : name
    const row: Readonly<Record<string, keyof typeof SESSION_TABLE>> = SESSION_TABLE[this.#sessionState]
    const next = row[event]
    if (next === undefined) throw new Error(`${this.#sessionState} has no ${event}`)
    if (direction === 'sent') this.#sessionState = next
    const last = this.#sections.at(-1)
    if (last?.connection !== 1 || last.states.at(-1) !== this.#sessionState) this.enter(this.#sessionState)
    this.say({ direction, bytes })
    this.#sessionState = next
  }
}

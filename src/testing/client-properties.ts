/**
 * What must hold of every client, tried at every byte of a connect: with any honest server, through a path that falls silent,
 * drips or breaks there. Nothing is generated here; arbitraries/client-properties.ts has what is.
 */
import type { ClientAdapter, ServerAddress } from './adapter.ts'
import { inWatchedLanes } from './crash-watch.ts'
import type { Property, Terms, Trial } from './examine.ts'
import type { FaultPlan } from './fault-proxy.ts'
import { type ClientOutcome, type ConnectTerms, tryClient } from './try-client.ts'

/** A client, and a server with which it can connect when nothing is wrong. */
export interface ClientSubject {
  readonly client: ClientAdapter
  readonly server: ServerAddress
  /** How many bytes it was given until it was connected, when it was. */
  readonly receivedBytes: number
}

const TIMEOUT = '#LIBPQ-CONNECT-CONNECT-TIMEOUT: the maximum time to wait while connecting'

export const CLIENT_PROPERTIES: readonly Property<ClientSubject>[] = [
  {
    id: 'client/silence',
    statement:
      'Behind whatever byte the server falls silent, the connect ends by its deadline and its socket is closed.',
    source: TIMEOUT,
    examine: (subject, terms) =>
      atEveryByte(subject, terms, [{ do: 'stall' }], terms, (outcome) => hasHung(outcome) ?? holdsSocket(outcome)),
  },
  {
    id: 'client/drip',
    statement:
      'Progress does not extend the deadline: a server that sends byte after byte has no more time than a silent one.',
    source: TIMEOUT,
    async examine(subject, terms) {
      const { receivedBytes } = subject
      const { timeoutMs } = terms
      // Often enough for a timer that progress winds up again, and for longer than there is time.
      const delayMs = Math.max(1, Math.floor(timeoutMs / 4))
      const starts = [0, 1 / 3, 2 / 3].map((part) =>
        Math.max(0, Math.min(receivedBytes - 12, Math.floor(part * receivedBytes))),
      )
      const plans = starts.map((from) =>
        Array.from({ length: receivedBytes - from }, (_, index) => delayAt(from + index, delayMs)),
      )
      const verdict = (outcome: ClientOutcome) =>
        outcome.ended === 'connected' && outcome.elapsedMs > 2 * timeoutMs
          ? `it connected after ${Math.round(outcome.elapsedMs)} ms, and its deadline was ${timeoutMs} ms`
          : (hasHung(outcome) ?? holdsSocket(outcome))
      const name = (plan: FaultPlan) => `${delayMs} ms before each byte behind byte ${plan[0]?.at}`
      return tryPlans(subject, terms, plans, terms, verdict, name)
    },
  },
  {
    id: 'client/loss',
    statement: 'Behind whatever byte the connection ends or breaks, the connect ends at once, and not by its deadline.',
    source: '#PROTOCOL-FLOW-TERMINATION: either side may close the connection, and the other must notice',
    examine(subject, terms) {
      const patient = { ...terms, timeoutMs: terms.patienceMs }
      const verdict = (outcome: ClientOutcome) =>
        outcome.ended === 'rejected at its deadline'
          ? 'it went on waiting for its deadline'
          : (hasHung(outcome) ?? holdsSocket(outcome))
      return atEveryByte(subject, terms, [{ do: 'cut' }, { do: 'reset' }], patient, verdict)
    },
  },
  {
    id: 'client/abort',
    statement: 'Behind whatever byte the caller aborts, the connect ends at once and its socket is closed.',
    source: 'the AbortSignal that it takes: https://dom.spec.whatwg.org/#abortsignal',
    async examine(subject, terms) {
      if (subject.client.takesSignal !== true) return null
      const abortAfterMs = Math.min(terms.timeoutMs, terms.patienceMs)
      // To reject by then is to reject by its deadline, as far as is seen from here.
      const aborted = { ...terms, timeoutMs: abortAfterMs, abortAfterMs }
      const patient: ClientAdapter = {
        ...subject.client,
        connect: (target, { signal }) => subject.client.connect(target, { timeoutMs: terms.patienceMs, signal }),
      }
      return atEveryByte({ ...subject, client: patient }, terms, [{ do: 'stall' }], aborted, (outcome) =>
        outcome.ended === 'hung' ? 'the abort did not end it' : holdsSocket(outcome),
      )
    },
  },
]

type Harm = { readonly do: 'stall' | 'cut' | 'reset' }

function atEveryByte(
  subject: ClientSubject,
  terms: Terms,
  harms: readonly Harm[],
  connectTerms: ConnectTerms,
  verdict: (outcome: ClientOutcome) => string | null,
): Promise<readonly Trial[]> {
  const places = Array.from({ length: subject.receivedBytes }, (_, at) => at)
  const plans = harms.flatMap((harm) => places.map((at): FaultPlan => [{ direction: 'toClient', at, ...harm }]))
  return tryPlans(subject, terms, plans, connectTerms, (outcome) => isEarly(outcome) ?? verdict(outcome))
}

function tryPlans(
  { client, server }: ClientSubject,
  { lanes }: Terms,
  plans: readonly FaultPlan[],
  connectTerms: ConnectTerms,
  verdict: (outcome: ClientOutcome) => string | null,
  name: (plan: FaultPlan) => string = JSON.stringify,
): Promise<readonly Trial[]> {
  const attempt = async (plan: FaultPlan): Promise<Trial> => {
    const outcome = await tryClient(client, server, plan, connectTerms)
    return { trial: name(plan), outcome: outcome.ended, wrong: verdict(outcome) }
  }
  return inWatchedLanes(plans, lanes, attempt, (trial, crash) => ({
    ...trial,
    outcome: 'crashed',
    wrong: `nobody caught ${crash}`,
  }))
}

function delayAt(at: number, delayMs: number): FaultPlan[number] {
  return { direction: 'toClient', at, do: 'delay', delayMs }
}

/** The server may say less this time, and then nothing was harmed. */
function isEarly({ ended, isHarmed }: ClientOutcome): string | null {
  return ended === 'connected' && isHarmed ? 'it is connected, and the server had not said that it is ready' : null
}

export function hasHung({ ended, elapsedMs }: ClientOutcome): string | null {
  return ended === 'hung' ? `it had not ended after ${Math.round(elapsedMs)} ms` : null
}

/** A session may wait for its server before it lets go; a connect that has failed may not. */
export function holdsSocket({ ended, isSocketGone, error }: ClientOutcome): string | null {
  return ended === 'connected' || isSocketGone ? null : `its socket is still open after it ended (${error})`
}

/** What must hold of every client over any path: cases are generated, and made smaller when one fails. */
import fc from 'fast-check'
import { type ClientSubject, hasHung, holdsSocket } from '../client-properties.ts'
import { CrashWatch } from '../crash-watch.ts'
import type { Property, Terms, Trial } from '../examine.ts'
import type { FaultPlan } from '../fault-proxy.ts'
import { type ClientOutcome, type ConnectTerms, tryClient } from '../try-client.ts'
import { arbitraryFaultPlan, arbitraryPatientPlan, type FaultPlanBounds } from './fault-plan.ts'
import { generateTrials } from './generate-trials.ts'

const DELAY_MS_MAX = 20
const TIMEOUT = '#LIBPQ-CONNECT-CONNECT-TIMEOUT: the maximum time to wait while connecting'

export const GENERATED_CLIENT_PROPERTIES: readonly Property<ClientSubject>[] = [
  {
    id: 'client/segmentation',
    statement: 'However the bytes are cut into segments, and however late they come within the deadline, it connects.',
    source: '#PROTOCOL-MESSAGE-CONCEPTS: messages are separated by their length, and by nothing that TCP does',
    examine(subject, terms) {
      const plans = arbitraryPatientPlan(boundsOf(subject))
      const patient = { ...terms, timeoutMs: terms.patienceMs }
      return tryPlans(subject, terms, plans, patient, ({ ended, error }) =>
        ended === 'connected' ? null : `it did not connect: ${error ?? ended}`,
      )
    },
  },
  {
    id: 'client/interruption',
    statement:
      'Whenever the network delays, falls silent, ends or breaks, the connect ends by its deadline, and its socket is closed.',
    source: TIMEOUT,
    examine(subject, terms) {
      const harm = fc.constantFrom('stall' as const, 'halfClose' as const, 'cut' as const, 'reset' as const)
      const plans = fc
        .tuple(arbitraryPatientPlan(boundsOf(subject)), fc.nat(subject.receivedBytes), harm)
        .map(([plan, at, what]): FaultPlan => [...plan, { direction: 'toClient', at, do: what }])
      return tryPlans(subject, terms, plans, terms, (outcome) => hasHung(outcome) ?? holdsSocket(outcome))
    },
  },
  {
    id: 'client/damage',
    statement:
      'Whatever somebody on the path does to the bytes, the connect ends by its deadline, and its socket is closed.',
    source: `${TIMEOUT}; without TLS anybody on the path can do it`,
    examine(subject, terms) {
      const plans = arbitraryFaultPlan(boundsOf(subject))
      return tryPlans(subject, terms, plans, terms, (outcome) => hasHung(outcome) ?? holdsSocket(outcome))
    },
  },
]

function boundsOf({ receivedBytes }: ClientSubject): FaultPlanBounds {
  return { bytesMax: receivedBytes, delayMsMax: DELAY_MS_MAX }
}

async function tryPlans(
  { client, server }: ClientSubject,
  terms: Terms,
  plans: fc.Arbitrary<FaultPlan>,
  connectTerms: ConnectTerms,
  verdict: (outcome: ClientOutcome) => string | null,
): Promise<readonly Trial[]> {
  using watch = new CrashWatch()
  return await generateTrials(plans, terms, async (plan) => {
    const outcome = await tryClient(client, server, plan, connectTerms)
    const crash = watch.take()
    const trial = JSON.stringify(plan)
    if (crash !== null) return { trial, outcome: 'crashed', wrong: `nobody caught ${crash}` }
    return { trial, outcome: outcome.ended, wrong: verdict(outcome) }
  })
}

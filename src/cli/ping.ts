/**
 * `pg-deadline ping`: does this server let anybody in? With the exit codes of pg_isready, and libpq's rule (PQping): whoever asks
 * for a password, or refuses for any reason but that it is starting up or shutting down, is accepting connections.
 *
 * No password leaves: it goes no further than to the server's first word about authentication.
 *
 * Manual: #APP-PG-ISREADY, #LIBPQ-PQPINGPARAMS.
 */
import { parseArgs } from 'node:util'
import { connectWith } from '../connect.ts'
import { explainDeadline } from '../explain-deadline.ts'
import { Deadline } from '../net/deadline.ts'
import type { Observe } from '../observation.ts'
import { showEndpoint } from '../plan.ts'
import { HandshakeError } from '../state/errors.ts'
import { runCommand, screenOf } from './command.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'
import { CLOSE_TIMEOUT_MS, type NetworkIo } from './network.ts'
import { milliseconds, rounded } from './numbers.ts'
import { readWhereto, WHERETO_HELP, WHERETO_NOTE, WHERETO_OPTIONS } from './whereto.ts'

const HELP = `\
Ask whether a server accepts connections. It needs no password, and sends none.

  pg-deadline ping postgres://db.example
  pg-deadline ping -h db.example -p 6432 --timeout 500ms
  until pg-deadline ping -q -h db.example; do sleep 1; done

Usage: pg-deadline ping [OPTIONS] [CONNECTION STRING]

${WHERETO_HELP}\
  -q, --quiet            say nothing; the exit code tells
  --json                 the answer as JSON
  -?, --help             this text

${WHERETO_NOTE}
Exit codes, those of pg_isready: 0 accepting connections; 1 rejecting them
(starting up, shutting down); 2 no response; 3 called wrongly. And 70, a defect
of pg-deadline; 130 Ctrl-C.
`

/** pg_isready's own. */
const DEFAULT_TIMEOUT_MS = 3_000

/** ERRCODE_CANNOT_CONNECT_NOW: starting up, shutting down, in recovery. */
const CANNOT_CONNECT_NOW = '57P03'

type Status = 'accepting' | 'rejecting' | 'no response'

interface Answer {
  readonly status: Status
  /** Why, in words. */
  readonly because: string
}

const CODES: Readonly<Record<Status, ExitCode>> = {
  accepting: EXIT_CODE.ready,
  rejecting: EXIT_CODE.refused,
  'no response': EXIT_CODE.noAnswer,
}

const SHOWN: Readonly<Record<Status, string>> = {
  accepting: 'accepting connections',
  rejecting: 'rejecting connections',
  'no response': 'no response',
}

/** What a server may ask for, in words. */
const ASKED: Readonly<Record<string, string>> = {
  AuthenticationCleartextPassword: 'a password in the clear',
  AuthenticationMD5Password: 'an MD5 password',
  AuthenticationSASL: 'SASL',
  AuthenticationKerberosV5: 'Kerberos V5',
  AuthenticationGSS: 'GSSAPI',
  AuthenticationSSPI: 'SSPI',
}

/** Run the command. Never rejects. */
export function ping(args: readonly string[], io: NetworkIo): Promise<ExitCode> {
  return runCommand('ping', io, () => run(args, io))
}

async function run(args: readonly string[], io: NetworkIo): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...WHERETO_OPTIONS,
      quiet: { type: 'boolean', short: 'q' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: '?' },
    },
  })
  if (values.help === true) {
    io.stdout.write(HELP)
    return EXIT_CODE.ready
  }
  const { target, options } = readWhereto(values, positionals, io.env)
  const { timeoutMs = DEFAULT_TIMEOUT_MS, environment } = options
  // Whoever has heard enough says so through the signal, as with any other reason to stop.
  using enough = new Deadline({ signal: io.signal, clock: io.runtime.clock })
  try {
    const whole = { timeoutMs, environment, signal: enough.signal }
    const plan = explainDeadline(target, whole)
    const seen = { asked: '', endpoint: plan.visits[0]?.endpoint ?? '', state: '', atMs: 0, tls: '' }
    const observe: Observe = (observation) => {
      seen.atMs = observation.atMs
      if (observation.type === 'attemptBegun') seen.endpoint = showEndpoint(observation.endpoint)
      if (observation.type === 'stateEntered') seen.state = observation.state
      if (observation.type === 'tlsEstablished') seen.tls = observation.tls.version
      if (observation.type !== 'message' || observation.direction !== 'received') return
      const { name } = observation
      if (!name.startsWith('Authentication') || name === 'AuthenticationOk') return
      seen.asked = ASKED[name] ?? name
      enough.abort(new DOMException('the server has said what was asked for', 'AbortError'))
    }
    const answer = await connectWith({ ...io.runtime, observe }, target, whole).then(
      async (session) => {
        await session.close({ signal: io.signal, timeoutMs: CLOSE_TIMEOUT_MS })
        return { status: 'accepting', because: 'it let us in' } as const
      },
      (error: unknown) => {
        io.signal.throwIfAborted()
        return judge(error, seen.asked)
      },
    )
    if (values.json === true) {
      const { endpoint, state, atMs, tls } = seen
      io.stdout.write(`${JSON.stringify({ endpoint, ...answer, state, afterMs: rounded(atMs), tls: tls || null })}\n`)
    } else if (values.quiet !== true) {
      const place = `${seen.tls === '' ? '' : `in ${seen.tls}, `}in ${seen.state}, after ${milliseconds(seen.atMs)} ms`
      const mark = screenOf(io).paint(answer.status === 'accepting' ? 'green' : 'red', SHOWN[answer.status])
      const because = answer.status === 'no response' ? answer.because : `${answer.because}, ${place}`
      io.stdout.write(`${seen.endpoint} - ${mark}: ${because}\n`)
    }
    return CODES[answer.status]
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    io.stderr.write(`pg-deadline ping: ${error.message}\n`)
    return EXIT_CODE.usage
  }
}

function judge(error: unknown, asked: string): Answer {
  if (!(error instanceof HandshakeError)) throw error
  const { failure, message } = error
  if (failure.kind === 'config') throw error
  if (asked !== '') return { status: 'accepting', because: `it asks for ${asked}` }
  if (failure.kind !== 'refused' || failure.sqlstate === '') return { status: 'no response', because: message }
  const status = failure.sqlstate === CANNOT_CONNECT_NOW ? 'rejecting' : 'accepting'
  return { status, because: `${failure.message} (${failure.sqlstate})` }
}

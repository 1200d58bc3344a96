/**
 * What is said between the StartupMessage and the first state in which the server has let us in, and what goes along
 * from state to state meanwhile: version, notices, what the session is wanted to be.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, #PROTOCOL-VERSIONS.
 */
import { Fault } from '../../protocol/failure.ts'
import type { ServerReport } from '../../protocol/response-fields.ts'
import { versionNumber } from '../../protocol/startup.ts'
import type { Effect, EventOf } from './events.ts'
import type { Attempt, AuthenticationMethod, Greeting, State, StateOf, TlsFacts } from './states.ts'

/** The StartupMessage, and what holds from it on. */
export function greet(
  attempt: Attempt,
  tls: TlsFacts | null,
): { readonly greeting: Greeting; readonly startup: Effect } {
  const { maxProtocolVersion: protocolVersion, sessionWanted, earlyQuery } = attempt
  if (attempt.channelBinding === 'require' && tls === null) {
    throw new Fault({
      kind: 'policy',
      what: 'channel binding is required, and there is no TLS to bind to',
      advice: 'use sslmode=require or above, over TCP, with a server that speaks TLS',
    })
  }
  const parameters = [['user', attempt.user], ['database', attempt.database], ...attempt.runtimeParameters] as const
  return {
    greeting: { tls, protocolVersion, notices: [], sessionWanted, earlyQuery },
    startup: {
      do: 'send',
      message: {
        type: 'StartupMessage',
        protocolVersion: versionNumber(protocolVersion),
        parameters: parameters.map(([name, value]) => ({ name, value })),
      },
    },
  }
}

/** NegotiateProtocolVersion: the server speaks an older minor version, or does not know an option of ours. */
export function negotiate(
  { attempt, greeting, negotiated }: StateOf<'AwaitingAuthentication' | 'AwaitingSaslOffer'>,
  { newestVersion, unrecognizedOptions }: EventOf<'NegotiateProtocolVersion'>,
): Greeting {
  const { protocolVersion } = greeting
  const misbehaved = (expected: string, received: string) =>
    new Fault({ kind: 'misbehaved', expected: [expected], received })
  const shown = `${newestVersion >> 16}.${newestVersion & 0xffff}`

  if (negotiated) throw misbehaved('one NegotiateProtocolVersion at most', 'a second one')
  // We ask for no option (they would begin with '_pq_.'), so there is none that a server could fail to know.
  if (unrecognizedOptions.length > 0) {
    throw misbehaved('no unrecognized options, since none was sent', `${unrecognizedOptions.length} of them`)
  }
  if (newestVersion >= versionNumber(protocolVersion)) {
    throw misbehaved(`a version below ${protocolVersion}, which we asked for`, shown)
  }
  // Below 3.2 there is 3.0 only: 3.1 is reserved, and whoever speaks 2 would not have sent this message.
  if (newestVersion !== versionNumber('3.0')) throw misbehaved('version 3.0', shown)
  if (attempt.minProtocolVersion !== '3.0') {
    throw new Fault({
      kind: 'incompatible',
      what: 'protocol version',
      offered: ['3.0'],
      supported: [`${attempt.minProtocolVersion} or later (minProtocolVersion)`],
    })
  }
  return { ...greeting, protocolVersion: '3.0' }
}

/** The first state in which the server has let us in. */
export function introduce(
  state: StateOf<'AwaitingAuthentication' | 'AwaitingVerdict'>,
  authenticationMethod: AuthenticationMethod,
): StateOf<'AwaitingReady'> {
  return {
    name: 'AwaitingReady',
    greeting: state.greeting,
    authenticationMethod,
    parameters: [],
    backendKeyData: null,
    notifications: 0,
  }
}

/**
 * A server that does not know protocol 3.2 says so with NegotiateProtocolVersion. Some poolers refuse, and do not say why:
 * PgBouncer 1.18 with 08P01 and the bytes that it has read; Pgpool-II 4.3 asks PostgreSQL for what it was asked for, does not
 * understand the longer key, and calls that XX000. libpq does not ask again either.
 */
export function adviceOn(
  state: State,
  { sqlstate }: Pick<ServerReport, 'sqlstate'>,
): { readonly advice: string } | null {
  if (state.name !== 'AwaitingAuthentication' && state.name !== 'AwaitingSaslOffer' && state.name !== 'AwaitingReady') {
    return null
  }
  if (state.greeting.protocolVersion === '3.0' || (sqlstate !== '08P01' && sqlstate !== 'XX000')) return null
  return { advice: 'if a pooler does not know protocol 3.2: max_protocol_version=3.0' }
}

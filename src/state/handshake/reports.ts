/**
 * What the server says of the session before it is ready, each kind within its bounds: parameters, notices,
 * notifications, and the answer to the session check.
 *
 * Manual: #PROTOCOL-ASYNC, #PROTOCOL-FLOW-SIMPLE-QUERY, #LIBPQ-CONNECT-TARGET-SESSION-ATTRS.
 */
import { Fault } from '../../protocol/failure.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { checkEncoding } from '../encoding.ts'
import type { EventOf } from './events.ts'
import type { StateOf } from './states.ts'

type Introduced = StateOf<'AwaitingReady' | 'AwaitingSessionCheck'>

/**
 * Still waiting, and something has been told. Every fact by name: parameters come a dozen times and more in every connect, and a
 * literal that spreads a state and says one of its properties again takes V8's slow path.
 */
export function awaitReady(
  state: StateOf<'AwaitingReady'>,
  change: Partial<Pick<StateOf<'AwaitingReady'>, 'parameters' | 'backendKeyData' | 'notifications'>>,
): StateOf<'AwaitingReady'> {
  const { name, greeting, authenticationMethod } = state
  const {
    parameters = state.parameters,
    backendKeyData = state.backendKeyData,
    notifications = state.notifications,
  } = change
  return { name, greeting, authenticationMethod, parameters, backendKeyData, notifications }
}

export function addParameter(state: Introduced, { name, value }: EventOf<'ParameterStatus'>): Introduced['parameters'] {
  checkEncoding(name, value)
  const parameters = state.parameters.concat([[name, value]])
  bound('ParameterStatus messages before the session is ready', parameters.length, LIMITS.parametersMax)
  const length = parameters.reduce((sum, one) => sum + one[0].length + one[1].length, 0)
  bound('characters of ParameterStatus before the session is ready', length, LIMITS.startupParametersLengthMax)
  return parameters
}

export function addNotification({ notifications }: Introduced): number {
  bound('NotificationResponse messages before the session is ready', notifications + 1, LIMITS.startupNotificationsMax)
  return notifications + 1
}

type Heard = StateOf<'AwaitingSessionCheck'>['heard']

const HEARD_NEXT: Readonly<Record<Heard, string>> = {
  nothing: 'RowDescription',
  RowDescription: 'DataRow',
  DataRow: 'CommandComplete',
  CommandComplete: 'ReadyForQuery',
}

/** The answer to the session check comes in one order. */
export function follow({ heard }: { readonly heard: Heard }, before: Heard, received: string): void {
  if (heard !== before) throw new Fault({ kind: 'misbehaved', expected: [HEARD_NEXT[heard]], received })
}

export function oddAnswer(expected: string, received: string): Fault {
  return new Fault({ kind: 'misbehaved', expected: [`${expected} in answer to the session check`], received })
}

export function bound(what: string, received: number, limit: number): void {
  if (received > limit) throw new Fault({ kind: 'limit', what, limit, received })
}

/**
 * Where the next move is ours, this chooses it. Everywhere else the handshake waits.
 */
import type { EventOf } from './events.ts'
import type { Attempt, State, StateOf } from './states.ts'

/** Where every attempt begins. */
export function begin(attempt: Attempt): StateOf<'Disconnected'> {
  return { name: 'Disconnected', attempt }
}

/** The event that we ourselves cause in this state, or null if something has to be waited for. */
export function nextMove(state: State): EventOf<'Dial' | 'SendStartup'> | null {
  switch (state.name) {
    case 'Disconnected':
      return { type: 'Dial' }
    case 'Connected':
      return { type: 'SendStartup' }
    default:
      return null
  }
}

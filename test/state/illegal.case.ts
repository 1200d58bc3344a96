/**
 * Programs that must not compile. Each statement after a comment `//= TSnnnn words` is wrong, with
 * that error and no other;
 * illegal.test.ts compiles this file and compares. It is left out of the project's own compilation.
 */

import type { Effect, Event } from '../../src/state/handshake/events.ts'
import type { State } from '../../src/state/handshake/states.ts'
import type { TABLE } from '../../src/state/handshake/table.ts'
import { handshake } from '../../src/state/handshake/transitions.ts'
import { closed, createMachine, type Transitions } from '../../src/state/machine.ts'
import { EVENTS, STATES } from './handshake/examples.ts'

const signal = new AbortController().signal

// A small table, so that what is wrong can be seen.
const DOOR = closed({ Open: { Close: 'Shut' }, Shut: { Open: 'Open' }, Gone: {} })
type Door = { name: 'Open' } | { name: 'Shut' } | { name: 'Gone' }
type Push = { type: 'Close' } | { type: 'Open' } | { type: 'Kick' }
type Cells = Transitions<typeof DOOR, Door, Push, never>
const shut = { state: { name: 'Shut' }, effects: [] } as const
const open = { state: { name: 'Open' }, effects: [] } as const

/** This one is right: if it were refused, nothing below would prove anything. */
export const lawful: Cells = { Open: { Close: () => shut }, Shut: { Open: () => open }, Gone: {} }

// A missing cell.
//= TS2322 Property 'Open' is missing
export const missingCell: Cells = { Open: { Close: () => shut }, Shut: {}, Gone: {} }

// A missing row.
//= TS2741 Property 'Gone' is missing
export const missingRow: Cells = { Open: { Close: () => shut }, Shut: { Open: () => open } }

// An invented cell, in a row that has others and in one that has none.
//= TS2322 not assignable to type 'never'
export const inventedCell: Cells = {
  Open: { Close: () => shut, Kick: () => open },
  Shut: { Open: () => open },
  Gone: {},
}
//= TS2322 not assignable to type 'never'
export const inventedInEnd: Cells = {
  Open: { Close: () => shut },
  Shut: { Open: () => open },
  Gone: { Kick: () => open },
}

// An invented row.
//= TS2353 'Ajar' does not exist
export const inventedRow: Cells = { Open: { Close: () => shut }, Shut: { Open: () => open }, Gone: {}, Ajar: {} }

// A wrong target.
//= TS2322 is not assignable to type 'Step<{ name: "Shut"; }, never>'
export const wrongTarget: Cells = { Open: { Close: () => open }, Shut: { Open: () => open }, Gone: {} }

// A dangling arrow.
//= TS2322 not assignable to type 'never'
export const dangling = closed({ Open: { Close: 'Shut' } })

// An illegal call: this state has no such event; this event is not of this state; nothing leaves an end.
//= TS2345 '{ readonly type: "ResolveHost"; } | { readonly type: "Dial"; }'
handshake.step(STATES.Disconnected, EVENTS.TransportOpened, signal)
//= TS2741 required in type '{ readonly type: "AuthenticationSASLFinal"
handshake.step(STATES.AwaitingSaslOutcome, EVENTS.AuthenticationOk, signal)
//= TS2345 not assignable to parameter of type 'never'
handshake.step(STATES.Ready, EVENTS.ReadyForQuery, signal)

// A missing signal.
//= TS2554 Expected 3 arguments
handshake.step(STATES.Disconnected, EVENTS.Dial)
//= TS2554 Expected 3 arguments
handshake.receive(STATES.Disconnected, EVENTS.Dial)
//= TS2345 'undefined' is not assignable to parameter of type 'AbortSignal'
handshake.step(STATES.Disconnected, EVENTS.Dial, undefined)

// What a step gives is known by name: Dialing is not Ready.
//= TS2339 Property 'parameters' does not exist on type '{ readonly name: "Dialing"
handshake.step(STATES.Disconnected, EVENTS.Dial, signal).state.parameters

// A state without its facts, and with those of another.
//= TS2322 Property 'attempt' is missing
export const bare: State = { name: 'Dialing' }
//= TS2322 Type '"Nowhere"' is not assignable
export const foreign: State = { name: 'Failed', phase: 'Nowhere', failure: { kind: 'aborted' } }

// The handshake's own transitions for another table.
export function foreignTable(
  transitions: Transitions<typeof TABLE, State, Event, Effect>,
  fail: (state: State) => State,
) {
  //= TS2740 missing the following properties
  createMachine({ table: DOOR, transitions, everywhere: {}, fail })
}

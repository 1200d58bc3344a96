/**
 * A state machine made from a table. Rows are states, columns are events, cells are the next state; for
 * every cell there is one function. Generic: the handshake and the session after it are two tables.
 *
 * Pure: it knows no socket, no clock and no byte. Time enters as a signal, and every step takes it.
 */
import { type Failure, Fault } from '../protocol/failure.ts'

/** Rows are states, columns are events, cells are the next state. A row without cells is an end. */
export type Table = Readonly<Record<string, Row>>
export type Row = Readonly<Record<string, string>>

export type StateIn<T extends Table> = keyof T & string
/** The events that are lawful in a state. */
export type EventIn<T extends Table, S extends keyof T> = keyof T[S] & string
/** Where an event leads. */
export type Next<T extends Table, S extends keyof T, E extends keyof T[S]> = T[S][E]

interface Named {
  readonly name: string
}
interface Typed {
  readonly type: string
}

/** What a transition gives: the state that holds from now on, and what has to be done in the world. */
export interface Step<State, Effect> {
  readonly state: State
  readonly effects: readonly Effect[]
}

/** The member of a union of states that has this name. */
export type StateNamed<State extends Named, S> = Extract<State, { readonly name: S }>
/** The member of a union of events that has this type. */
export type EventTyped<Event extends Typed, E> = Extract<Event, { readonly type: E }>

/** The function of one cell. It may throw Fault: the event was lawful, its content was not. */
export type Transition<State extends Named, Event extends Typed, Effect, From, E, To> = (
  state: StateNamed<State, From>,
  event: EventTyped<Event, E>,
  signal: AbortSignal,
) => Step<StateNamed<State, To>, Effect>

/**
 * One function per cell: a missing one, an invented one or a wrong target does not compile. The second half
 * forbids what a plain mapped type would let through: a function for an event that the row does not have.
 */
export type Transitions<T extends Table, State extends Named, Event extends Typed, Effect> = {
  readonly [S in keyof T]: {
    readonly [E in keyof T[S]]: Transition<State, Event, Effect, S, E, T[S][E]>
  } & { readonly [E in Exclude<Event['type'], keyof T[S]>]?: never }
}

/** One function per event that may come in any state but an end: its target is what the function says. */
export type Everywhere<W extends Row, State extends Named, Event extends Typed, Effect> = {
  readonly [E in keyof W]: (state: State, event: EventTyped<Event, E>, signal: AbortSignal) => Step<State, Effect>
}

/** A table whose arrows all lead to a row of it: an arrow into nowhere does not compile. */
export type Closed<T extends Table> = {
  readonly [S in keyof T]: { readonly [E in keyof T[S]]: T[S][E] extends keyof T ? T[S][E] : never }
}

export interface Machine<T extends Table, State extends Named, Event extends Typed, Effect> {
  /**
   * Take one arrow of the table. An arrow that is not in it does not compile.
   * Throws `signal.reason` if the signal is aborted, and Fault if the event's content is unlawful.
   */
  step<S extends StateIn<T>, E extends EventIn<T, S>>(
    state: StateNamed<State, S>,
    event: EventTyped<Event, E>,
    signal: AbortSignal,
  ): Step<StateNamed<State, Next<T, S, E>>, Effect>

  /**
   * Take an event whose type the peer chose, so that the compiler cannot know whether it is lawful here.
   * What is not in the table, or unlawful in its content, leads to the state that `fail` makes.
   * Throws `signal.reason` if the signal is aborted.
   */
  receive(state: State, event: Event, signal: AbortSignal): Step<State, Effect>
}

export interface MachineParts<T extends Table, W extends Row, State extends Named, Event extends Typed, Effect> {
  readonly table: T
  readonly transitions: Transitions<T, State, Event, Effect>
  readonly everywhere: Everywhere<W, State, Event, Effect>
  /** The state after a failure in `state`. A machine that has failed stays so. */
  readonly fail: (state: State, failure: Failure) => State
}

export function createMachine<T extends Table, W extends Row, State extends Named, Event extends Typed, Effect>({
  table,
  transitions,
  everywhere,
  fail,
}: MachineParts<T, W, State, Event, Effect>): Machine<T, State, Event, Effect> {
  type AnyTransition = (state: State, event: Event, signal: AbortSignal) => Step<State, Effect>

  type AnyRow = Readonly<Record<string, AnyTransition>>

  // Inside, the types of the single cells are gone: the state picks the row, the event picks the cell. A row's own cells come
  // before what holds everywhere; in an end nothing does.
  const rows: ReadonlyMap<string, ReadonlyMap<string, AnyTransition>> = new Map(
    Object.entries(transitions as unknown as Readonly<Record<string, AnyRow>>).map(([name, row]) => {
      const lawful = isEnd(table, name) ? row : { ...(everywhere as unknown as AnyRow), ...row }
      return [name, new Map(Object.entries(lawful))]
    }),
  )

  function transitionFor(state: State, event: Event): AnyTransition | undefined {
    return rows.get(state.name)?.get(event.type)
  }

  return {
    step(state, event, signal) {
      // Lateness is a property of the machine and not of each caller's care.
      signal.throwIfAborted()
      const transition = transitionFor(state, event)
      if (transition === undefined) throw new TypeError(`${state.name} has no ${event.type}: types were circumvented`)
      return transition(state, event, signal) as never
    },

    receive(state, event, signal) {
      signal.throwIfAborted()
      const transition = transitionFor(state, event)
      try {
        if (transition === undefined) {
          throw new Fault({ kind: 'misbehaved', expected: Object.keys(table[state.name] ?? {}), received: event.type })
        }
        return transition(state, event, signal)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        return { state: fail(state, error.failure), effects: [] }
      }
    },
  }
}

/** Whether nothing leads out of this state, which is one of the table's. */
export function isEnd(table: Table, name: string): boolean {
  return Object.keys(table[name] as Row).length === 0
}

/** The table itself: an arrow that leads to no row of it does not compile. */
export function closed<const T extends Table>(table: T & Closed<T>): T {
  return table
}

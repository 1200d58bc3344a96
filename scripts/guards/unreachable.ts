/** Guards that no test can miss, and why they stay all the same. `text` is as `npm run guards` prints it. */
export interface Unreachable {
  readonly file: string
  readonly text: string
  readonly why: string
}

export const UNREACHABLE: readonly Unreachable[] = [
  {
    file: 'src/attempt.ts',
    text: 'if (wire === undefined) throw',
    why: 'The table lets nobody speak before the transport is open.',
  },
  {
    file: 'src/attempt.ts',
    text: 'if (tlsOptions === null) throw',
    why: 'The table does not let TLS begin unasked.',
  },
  {
    file: 'src/attempt.ts',
    text: "if (endpoint.transport === 'unix') throw",
    why: 'Only a host has a name to be looked up: attemptOf in connect.ts.',
  },
  {
    file: 'src/connect.ts',
    text: "if (state.name !== 'Ready') throw",
    why: 'The table ends an attempt in Cancelled only if it is for a cancel request.',
  },
  {
    file: 'src/net/dial.ts',
    text: 'if (only === undefined || all.length > 1) return',
    why: 'A race of one comes to the same. To open a connection without one takes 238 µs of CPU in place of 283 (Node 20, medians).',
  },
]

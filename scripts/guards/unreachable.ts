/** Guards that no test can miss, and why they stay all the same. `text` is as `npm run guards` prints it. */
export interface Unreachable {
  readonly file: string
  readonly text: string
  readonly why: string
}

export const UNREACHABLE: readonly Unreachable[] = [
  {
    file: 'src/connect.ts',
    text: 'if (wire === undefined) throw',
    why: 'The table lets nobody speak before the transport is open.',
  },
  {
    file: 'src/connect.ts',
    text: 'if (tlsOptions === null) throw',
    why: 'The table does not let TLS begin unasked.',
  },
]

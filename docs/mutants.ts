/**
 * Mutants that no test notices, looked at one by one, in groups of one reason. docs/generate.ts holds the list against what
 * scripts/mutate.ts has found, and fails for a survivor of which nothing stands here.
 */

export interface Reviewed {
  readonly title: string
  /** Why it cannot be noticed, or why it need not be. */
  readonly why: string
  /** `to` is left out where whatever it became is meant. */
  readonly mutants: readonly { readonly file: string; readonly from: string; readonly to?: string }[]
}

export const REVIEWED: readonly Reviewed[] = [
  {
    title: 'The types ask for it, and it never happens',
    why: 'An item of a list may be missing for the compiler, and never is: `split` gives one part at least, a timeline has begun, and the hosts that differ are two at least.',
    mutants: [
      { file: 'src/auth/require-auth.ts', from: 'entries[0]?.startsWith' },
      { file: 'src/auth/scram-grammar.ts', from: 'this.#attributes[this.#index]?.name' },
      { file: 'src/state/errors.ts', from: 'attempts.at(-1)?.endpoint' },
      { file: 'src/state/timeline.ts', from: 'this.#entries.at(-1)?.state' },
    ],
  },
  {
    title: 'What is asked is settled by what is asked next',
    why: 'Only a refusal has an SQLSTATE, only an integer can be constant, only one failure has the text of a wrong guess, a mechanism is another one exactly when its flag is, a length of -1 has been dealt with a line above, and a length of four is never too long. The first half of the condition is there for the compiler or for the reader.',
    mutants: [
      { file: 'src/state/handshake/policy.ts', from: "failure.kind === 'incompatible'", to: 'true' },
      { file: 'src/state/handshake/policy.ts', from: "failure.kind === 'refused'", to: 'true' },
      { file: 'src/state/handshake/transitions.ts', from: 'mechanism !== guess.mechanism', to: 'false' },
      { file: 'src/protocol/data-row.ts', from: 'length < -1', to: 'length <= -1' },
      { file: 'src/protocol/layout.ts', from: "type.kind === 'integer'", to: 'true' },
      { file: 'src/protocol/frame.ts', from: 'length < 4', to: 'length <= 4' },
    ],
  },
  {
    title: 'Nothing instead of no',
    why: 'What falls off the end gives undefined where it gave false, and the caller asks only whether it is true; what is called and is not there throws a TypeError, as the line before it would have.',
    mutants: [
      { file: 'src/auth/saslprep.ts', from: '{ return false }', to: '{}' },
      { file: 'src/state/handshake/policy.ts', from: 'default: return false' },
      { file: 'src/state/machine.ts', from: 'transition === undefined', to: 'false' },
    ],
  },
  {
    title: 'A shorter way to the same',
    why: 'ASCII is left alone by the steps of SASLprep, too; a buffer may grow when it is just full; JSON writes numbers as they are; Node takes an empty encoding for UTF-8; a format that is no number is not 1; what is made anew each time is the same; once TLS is there, nobody asks whether it was refused.',
    mutants: [
      { file: 'src/auth/saslprep.ts', from: 'ASCII_ONLY.test(password)', to: 'false' },
      { file: 'src/protocol/frame.ts', from: 'this.#end + chunk.length > this.#held.length' },
      { file: 'src/protocol/annotate.ts', from: "type.kind === 'string' || type.kind === 'character'", to: 'true' },
      { file: 'src/protocol/layout.ts', from: "'utf8'", to: '""' },
      { file: 'src/protocol/data-row.ts', from: '[]' },
      { file: 'src/protocol/layout.ts', from: 'layout === undefined', to: 'true' },
      { file: 'src/state/handshake/transitions.ts', from: 'false', to: 'true' },
    ],
  },
  {
    title: 'Nobody looks at it',
    why: 'buffer-layout asks a field of unknown length for its span before there are bytes, takes the exception for an answer, and never looks at the number; the anchors are for the links of docs/, which `npm run docs -- --check` holds against what is committed.',
    mutants: [
      { file: 'src/protocol/layout.ts', from: '-1', to: '+1' },
      { file: 'src/protocol/message.ts', from: `\`PROTOCOL-MESSAGE-FORMATS-\${name.toUpperCase()}\`` },
      { file: 'src/protocol/message.ts', from: 'name.toUpperCase()' },
    ],
  },
  {
    title: 'Noticed since',
    why: 'Found by the run that stands here, and noticed now: a test was added, or a list of sentences is left alone as one sentence is.',
    mutants: [
      { file: 'src/auth/channel-binding.ts', from: "'hashAlgorithm'", to: '""' },
      { file: 'src/state/handshake/transitions.ts', from: `''` },
      {
        file: 'src/state/handshake/transitions.ts',
        from: `'an error in place of an answer to SSLRequest; its text came in the clear and is withheld'`,
      },
      { file: 'src/state/handshake/transitions.ts', from: `tls.alpnProtocol === null` },
      { file: 'src/state/handshake/transitions.ts', from: `'password'` },
      { file: 'src/state/handshake/transitions.ts', from: `'md5'` },
      { file: 'src/state/handshake/transitions.ts', from: `'scram-sha-256'` },
      { file: 'src/state/handshake/transitions.ts', from: `'none'` },
      { file: 'src/state/handshake/transitions.ts', from: `'BackendKeyData'` },
      { file: 'src/state/handshake/transitions.ts', from: `'on'` },
      { file: 'src/state/handshake/transitions.ts', from: `'off'` },
      { file: 'src/state/handshake/transitions.ts', from: `tls === null` },
      { file: 'src/state/handshake/transitions.ts', from: `method === 'none'` },
      { file: 'src/state/handshake/transitions.ts', from: `'let us in without authentication'` },
      { file: 'src/state/handshake/transitions.ts', from: `\`asked for \${method}\`` },
      { file: 'src/state/handshake/transitions.ts', from: `'scram_client_key'` },
      { file: 'src/state/session/query-result.ts', from: `[]` },
      { file: 'src/state/session/query-result.ts', from: `/(?:^| )(\\d+)$/` },
      { file: 'src/auth/choose.ts', from: "['no offer of channel binding on a connection without TLS']", to: '[]' },
    ],
  },
  {
    title: 'More than a test can hold',
    why: 'The bound is exact at 2,147,483,647 bytes, and a message of that length takes as much memory.',
    mutants: [{ file: 'src/protocol/message.ts', from: 'lengthBytes > 0x7fffffff' }],
  },
]

/**
 * Bugs that clients have really had, as edits of our source: one of them at a time is alive, and the properties must find it.
 * Knows nothing of how it is found; scripts/seeded-bugs.ts plants them and counts.
 */

export interface SeededBug {
  readonly id: string
  /** What such a client does, as a sentence. */
  readonly fault: string
  /** The public thread, CVE or text in which it can be read; empty where none is known to us. */
  readonly source: string
  /** The properties that must find it. */
  readonly foundBy: readonly string[]
  readonly edits: readonly Edit[]
}

/**
 * A place in a file below src/ that is there once. BUG in `replace` is whether the bug is alive; where it is missing, `find` is
 * an expression, and `replace` stands for it while the bug is alive.
 */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** The real connect() in a simulated world: what its checkers must find, one plan a run. */
export const SIMULATION = 'simulation-01'

export const SEEDED_BUGS: readonly SeededBug[] = [
  // Bytes
  {
    id: 'length-below-four',
    fault: 'A length below four, which is shorter than itself, is believed.',
    source: 'CVE-2026-32286; ClickHouse/ClickHouse#107485',
    foundBy: ['codec-29', 'codec-07'],
    edits: [
      { file: 'protocol/frame.ts', find: 'if (length < 4 || length', replace: 'if (length < (BUG ? 0 : 4) || length' },
    ],
  },
  {
    id: 'length-off-by-four',
    fault: 'A message is read four bytes too far: it goes well until the next one is in the same segment.',
    source: 'brianc/node-postgres#2210',
    foundBy: ['codec-05', SIMULATION],
    edits: [
      {
        file: 'protocol/frame.ts',
        find: 'this.#held.subarray(this.#start + HEADER_BYTES, this.#start + 1 + length)',
        replace: 'this.#held.subarray(this.#start + HEADER_BYTES, this.#start + 5 + length)',
      },
    ],
  },
  {
    id: 'split-message',
    fault: 'What one read() gives is taken for a whole message, however much of it is still under way.',
    source: 'pgmoneta/pgmoneta#1196; pgagroal/pgagroal#1037',
    foundBy: ['codec-05', SIMULATION],
    edits: [{ file: 'protocol/frame.ts', find: 'this.pendingBytes < 1 + length', replace: 'false' }],
  },
  {
    id: 'unbounded-body',
    fault: 'Whatever length is announced is waited for, be it two gigabytes.',
    source: 'pgjdbc/pgjdbc#4015',
    foundBy: ['codec-29'],
    edits: [{ file: 'protocol/frame.ts', find: 'length - 4 > bodyMax', replace: 'false' }],
  },
  {
    id: 'shared-buffer',
    fault: 'A value is a view into the buffer that the next read overwrites.',
    source: 'jackc/pgx#1909',
    foundBy: ['codec-17'],
    edits: [
      {
        file: 'protocol/layout.ts',
        find: 'new Uint8Array(body.subarray(offset, offset + span))',
        replace: 'body.subarray(offset, offset + span)',
      },
    ],
  },
  {
    id: 'wrapping-integer',
    fault: 'A number that is too large for its field is sent modulo its size.',
    source: 'CVE-2024-27304; CVE-2024-32655',
    foundBy: ['codec-19'],
    edits: [
      {
        file: 'protocol/layout.ts',
        find: '!Number.isInteger(value) || (value as number) < -bound || (value as number) >= bound',
        replace: 'false',
      },
      {
        file: 'protocol/layout.ts',
        find: '  measure(value: unknown): number {\n    const bound',
        replace: `  override encode(value: number, into: Buffer, offset: number): number {
    return super.encode(BUG ? Number(BigInt.asIntN(8 * this.span, BigInt(Math.trunc(value)))) : value, into, offset)
  }

  measure(value: unknown): number {
    const bound`,
      },
    ],
  },
  {
    id: 'nul-in-a-string',
    fault: 'A NUL in a value is sent as it is, and what follows it is read as a parameter of its own.',
    source: 'the manual, #PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE',
    foundBy: ['codec-20'],
    edits: [{ file: 'protocol/layout.ts', find: "value.includes('\\0')", replace: 'false' }],
  },
  {
    id: 'unterminated-string',
    fault: 'A string without an end is read to the end of the message, and further.',
    source: 'CVE-2022-41862',
    foundBy: ['codec-04'],
    edits: [
      {
        file: 'protocol/layout.ts',
        find: "if (end < 0) throw new Bad(offset, 'the string has no terminating NUL')",
        replace:
          "if (BUG && end < 0) return body.length - offset\n    if (end < 0) throw new Bad(offset, 'the string has no terminating NUL')",
      },
    ],
  },
  {
    id: 'bytes-before-tls',
    fault: "Plaintext behind the 'S' is kept, and read as if it had come in TLS.",
    source: 'CVE-2021-23222',
    foundBy: ['codec-26', SIMULATION],
    edits: [{ file: 'protocol/tls-reply.ts', find: 'received.length > 1', replace: 'false' }],
  },

  // Authentication
  {
    id: 'signature-not-verified',
    fault: "The server's signature is received and not compared.",
    source: 'elixir-ecto/postgrex#625',
    foundBy: ['scram-06', 'scram-09', SIMULATION],
    edits: [
      {
        file: 'auth/scram.ts',
        find: '!timingSafeEqual(outcome.signature, serverSignature)',
        replace: 'false',
      },
    ],
  },
  {
    id: 'final-skipped',
    fault: 'AuthenticationOk is believed of a server that has left its proof out.',
    source: 'ponylang/postgres#204',
    foundBy: ['model-03', SIMULATION],
    edits: [
      {
        file: 'state/handshake/table.ts',
        find: "    AuthenticationSASLFinal: 'AwaitingVerdict',",
        replace:
          "    AuthenticationSASLFinal: 'AwaitingVerdict',\n    ...((BUG ? { AuthenticationOk: 'AwaitingReady' } : {}) as {}),",
      },
      {
        file: 'state/handshake/transitions.ts',
        find: '  AwaitingSaslOutcome: {',
        replace:
          "  AwaitingSaslOutcome: {\n    ...((BUG ? { AuthenticationOk: (state: never) => to(introduce(state, 'scram-sha-256')) } : {}) as {}),",
      },
    ],
  },
  {
    id: 'foreign-nonce',
    fault: "The server's nonce need not begin with ours, so that an exchange can be played again.",
    source: 'oven-sh/bun#26941',
    foundBy: ['scram-10', 'scram-14', SIMULATION],
    edits: [{ file: 'auth/scram.ts', find: '!nonce.startsWith(start.clientNonce)', replace: 'false' }],
  },
  {
    id: 'nonce-not-extended',
    fault: "The server's nonce may be ours and nothing else: it adds nothing that makes the exchange fresh.",
    source: 'malisper/pgrust#53',
    foundBy: ['scram-14'],
    edits: [{ file: 'auth/scram.ts', find: 'nonce.length === start.clientNonce.length', replace: 'false' }],
  },
  {
    id: 'iterations-without-bound',
    fault: 'As many iterations are computed as the server asks for.',
    source: 'CVE-2026-42198',
    foundBy: ['scram-15', 'scram-16'],
    edits: [{ file: 'auth/scram.ts', find: 'iterations > max', replace: 'false' }],
  },
  {
    id: 'signature-over-a-rebuilt-message',
    fault: "The signature is made over the server's first message as it was understood, and not as it came.",
    source: 'RFC 5802 section 3 (AuthMessage)',
    foundBy: ['scram-03'],
    edits: [
      {
        file: 'auth/scram.ts',
        find: ' serverFirst, utf8(',
        replace:
          " BUG ? utf8('r=' + nonce + ',s=' + base64(challenge.salt) + ',i=' + challenge.iterations) : serverFirst, utf8(",
      },
    ],
  },
  {
    id: 'password-not-normalized',
    fault: 'A password goes into SCRAM as it was typed, without SASLprep.',
    source: 'brianc/node-postgres#3669; transact-rs/sqlx#4196; will/crystal-pg#181',
    foundBy: ['scram-17'],
    edits: [
      {
        file: 'auth/saslprep.ts',
        find: "return mapped.normalize('NFKC')",
        replace: "return BUG ? password : mapped.normalize('NFKC')",
      },
    ],
  },
  {
    id: 'binding-not-required',
    fault: 'A login that requires channel binding goes on with a mechanism that does not bind.',
    source: 'CVE-2025-49146; pgjdbc/pgjdbc#4272',
    foundBy: ['scram-21'],
    edits: [
      { file: 'auth/choose.ts', find: "if (policy === 'require') {", replace: "if (!BUG && policy === 'require') {" },
    ],
  },
  {
    id: 'any-method',
    fault: 'Whatever method the server asks for is answered, the password in the clear included.',
    source: 'ponylang/postgres#210',
    foundBy: ['model-01'],
    edits: [
      {
        file: 'state/handshake/transitions.ts',
        find: 'state.greeting.tls === null && !state.attempt.allowCleartextPassword',
        replace: 'false',
      },
    ],
  },
  {
    id: 'tls-not-required',
    fault: 'A server that refuses TLS is talked to in plaintext, though TLS was required.',
    source: 'CVE-2017-7485',
    foundBy: ['model-01', SIMULATION],
    edits: [
      {
        file: 'state/handshake/transitions.ts',
        find: "attempt.encryption === 'required'",
        replace: 'false',
      },
    ],
  },

  // What a connect costs, and what it leaves behind
  {
    id: 'socket-after-failed-login',
    fault: 'The socket stays open when the login fails or its time is up.',
    source: 'pgjdbc/pgjdbc#2350; brianc/node-postgres#2907',
    foundBy: [SIMULATION],
    edits: [
      { file: 'attempt.ts', find: '      this.#wire?.destroy()', replace: '      if (!BUG) this.#wire?.destroy()' },
    ],
  },
  {
    id: 'socket-of-a-timed-out-dial',
    fault: 'The socket that was being opened when the time was up is opened all the same, and belongs to nobody.',
    source: 'npgsql/npgsql#710; brianc/node-postgres#3543',
    foundBy: [SIMULATION],
    edits: [
      {
        file: 'net/dial.ts',
        find: '        attempt.ending.abort(',
        replace: '        if (!BUG) attempt.ending.abort(',
      },
    ],
  },
  {
    id: 'timer-not-cancelled',
    fault: 'The timer of a deadline goes on when the connect has settled, and keeps the process alive.',
    source: 'postgres-pool/postgres-pool#399',
    foundBy: [SIMULATION],
    edits: [
      { file: 'net/deadline.ts', find: '    this.#armed?.cancel()', replace: '    if (!BUG) this.#armed?.cancel()' },
    ],
  },
  {
    id: 'listener-left-on-the-signal',
    fault: "A listener stays on the caller's signal with every connect that shares it.",
    source: 'nodejs/node#54359',
    foundBy: [SIMULATION],
    edits: [
      {
        file: 'net/deadline.ts',
        find: "    signal.removeEventListener('abort', onAbort)",
        replace: "    if (!BUG) signal.removeEventListener('abort', onAbort)",
      },
    ],
  },
  {
    id: 'timeout-for-each-host',
    fault: 'Each host has the whole timeout, so that a list of hosts takes as often as long.',
    source: 'npgsql/npgsql#3619; the manual, #LIBPQ-CONNECT-CONNECT-TIMEOUT',
    foundBy: ['time-09', SIMULATION],
    edits: [
      {
        file: 'connect.ts',
        find: 'const outcome = await (isLast',
        replace:
          'using whole = BUG ? new Deadline({ timeoutMs: deadline.timeoutMs, clock: runtime.clock }) : null\n' +
          'const outcome = await (whole ? visitHost(course, visit, whole, sliceMs) : isLast',
      },
    ],
  },
  {
    id: 'first-host-takes-all',
    fault: 'The first host that is silent uses the whole timeout up, and the next is never tried.',
    source: 'MagicStack/asyncpg#1155; porsager/postgres#988',
    foundBy: ['time-09', SIMULATION],
    edits: [
      {
        file: 'connect.ts',
        find: 'shareOf(deadline.remaining(), visits.length - index)',
        replace: 'deadline.remaining()',
      },
    ],
  },
  {
    id: 'lookup-without-a-deadline',
    fault: 'The lookup of a name is outside of the timeout.',
    source: 'brianc/node-postgres#3197',
    foundBy: [SIMULATION],
    edits: [
      {
        file: 'attempt.ts',
        find: 'this.#runtime.resolveHost(endpoint.host, this.#signal)',
        replace: 'this.#runtime.resolveHost(endpoint.host, BUG ? new AbortController().signal : this.#signal)',
      },
    ],
  },
  {
    id: 'tls-reply-without-a-deadline',
    fault: 'The answer to SSLRequest is outside of the timeout.',
    source: 'pgjdbc/pgjdbc#1595',
    foundBy: ['time-01', SIMULATION],
    edits: [
      {
        file: 'attempt.ts',
        find: 'this.#signal.throwIfAborted()\n        event =',
        replace: "if (!BUG || this.#state.name !== 'AwaitingTlsReply') this.#signal.throwIfAborted()\n        event =",
      },
    ],
  },
  {
    id: 'starved-loop',
    fault: 'When the own process was busy, the timeout ends what the server has answered long before.',
    source: 'LanternOps/breeze#3022',
    foundBy: ['time-10'],
    edits: [{ file: 'net/deadline.ts', find: 'this.noteLag() <= LATE_MS', replace: '(this.noteLag(), true)' }],
  },
]

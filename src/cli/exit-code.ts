/** How every command ends: scripts ask by these numbers. */
export const EXIT_CODE = {
  ready: 0,
  /** The server said no. */
  refused: 1,
  /** No answer, a connection that broke, or the deadline. */
  noAnswer: 2,
  /** The command was called wrongly, or what it was given cannot be read. */
  usage: 3,
  /** Bytes that are no message, or a message at the wrong time. */
  violation: 4,
  /** Going on would have been insecure. */
  policy: 5,
  /** EX_SOFTWARE of sysexits.h. */
  defect: 70,
  /** 128 + SIGINT, as shells do. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE]

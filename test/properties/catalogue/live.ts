/** What must hold between us and a real server. */
const HANDSHAKES = 'test/fuzz/handshakes.test.ts'

export const LIVE = [
  {
    id: 'live-01',
    area: 'live',
    statement:
      'Whatever a path does to the bytes between us and a real server, connect() settles on time, in a session or a typed failure, and leaves no socket, timer, listener or backend.',
    test: HANDSHAKES,
  },
  {
    id: 'live-02',
    area: 'live',
    statement:
      'Each session that we have is one that the server says it has let in, once, unless the path could change its name; and there are no more of them than were let in.',
    test: HANDSHAKES,
  },
  {
    id: 'live-03',
    area: 'live',
    statement: 'A path that only delays and splits leads to a session, each time.',
    test: HANDSHAKES,
  },
  {
    id: 'live-04',
    area: 'live',
    statement: 'Nothing that a broken path delivers makes a backend crash.',
    test: HANDSHAKES,
  },
  {
    id: 'live-05',
    area: 'live',
    statement:
      'What a real server answers to our messages, whole and damaged, in every state before and after authentication, is what a small model of it says.',
    test: 'test/fuzz/messages.test.ts',
  },
  {
    id: 'live-06',
    area: 'live',
    statement:
      'A login of any user, password, database, setting and protocol version comes to the end that follows from them.',
    test: 'test/fuzz/logins.test.ts',
  },
] as const

/** Properties of the area time: one deadline, whatever the schedule. */
import type { Property } from './property.ts'

const test = 'test/properties/time.test.ts'

export const TIME: readonly Property[] = [
  {
    id: 'time-01',
    area: 'time',
    test,
    statement:
      'At every byte boundary of every lawful handshake, silence ends at the deadline, to the millisecond, in the state that waits.',
  },
  {
    id: 'time-02',
    area: 'time',
    test,
    statement:
      'At every byte boundary of every lawful handshake, an abort ends it in that moment, in the state that waits.',
  },
  {
    id: 'time-03',
    area: 'time',
    test,
    statement:
      'At every byte boundary of every lawful handshake, an orderly end of the connection is lost with FIN, at once, in the state that waits.',
  },
  {
    id: 'time-04',
    area: 'time',
    test,
    statement:
      'At every byte boundary of every lawful handshake, a broken connection is lost with ECONNRESET, at once, in the state that waits.',
  },
  {
    id: 'time-05',
    area: 'time',
    test,
    statement:
      'How bytes are cut into pieces does not matter: with pieces of any length, facts, messages and states are the same.',
  },
  {
    id: 'time-06',
    area: 'time',
    test,
    statement:
      'The deadline stays where it was under every schedule of lookups, waits, pieces, back-pressure and key derivations.',
  },
  {
    id: 'time-07',
    area: 'time',
    test,
    statement: 'Progress never extends it: a server that sends byte after byte has no more time than a silent one.',
  },
  {
    id: 'time-08',
    area: 'time',
    test,
    statement: 'Notices without an end extend nothing: there is a bound of them, and the deadline.',
  },
  {
    id: 'time-09',
    area: 'time',
    test,
    statement: 'Hosts that are silent share one deadline, and the last one ends with it.',
  },
  {
    id: 'time-10',
    area: 'time',
    test,
    statement: 'An event loop that was blocked at the deadline reads what is here already, and then it is over.',
  },
]

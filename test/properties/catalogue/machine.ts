/** Properties of the area machine: the table of the handshake as a whole. */
import type { Property } from './property.ts'

const test = 'test/properties/machine.test.ts'

export const MACHINE: readonly Property[] = [
  {
    id: 'machine-01',
    area: 'machine',
    test,
    statement: 'Complete: every event in every state leads to a state of the table, and nothing is thrown.',
  },
  {
    id: 'machine-02',
    area: 'machine',
    test,
    statement: 'Deterministic: the same state and the same event give the same step, and neither of them is changed.',
  },
  {
    id: 'machine-03',
    area: 'machine',
    test,
    statement:
      'Absorbing: what has failed stays as it is, and what has ended in another way becomes nothing but a failure.',
  },
  {
    id: 'machine-04',
    area: 'machine',
    test,
    statement: 'Reachable: lawful events lead from the beginning to every state.',
  },
  {
    id: 'machine-05',
    area: 'machine',
    test,
    statement: 'Once the signal is aborted nothing happens, whatever the state and the event.',
  },
  {
    id: 'machine-06',
    area: 'machine',
    test,
    statement: 'A failure names the state in which it was met, and asks for nothing more.',
  },
  {
    id: 'machine-07',
    area: 'machine',
    test,
    statement: 'One StartupMessage at most leaves in an attempt, whatever comes in whatever order.',
  },
  {
    id: 'machine-08',
    area: 'machine',
    test,
    statement: 'One proof at most leaves in an attempt: a password, a hash of it, or a proof of SCRAM.',
  },
  {
    id: 'machine-09',
    area: 'machine',
    test,
    statement: 'The password is in no state: it comes with an event and leaves with an effect.',
  },
]

/** Properties of the area simulation: the real connect() in a simulated world. */
import type { Property } from './property.ts'

const test = 'test/properties/simulation.test.ts'
const sessions = 'test/properties/simulated-session.test.ts'

export const SIMULATION: readonly Property[] = [
  {
    id: 'simulation-01',
    area: 'simulation',
    test,
    statement:
      'Whatever the world does, a connect settles once, on time, in the state that it was in, leaves nothing behind, and lets no secret out before it is allowed.',
  },
  {
    id: 'simulation-02',
    area: 'simulation',
    test,
    statement: 'An honest server on a network that heals in time is reached, always.',
  },
  {
    id: 'simulation-03',
    area: 'simulation',
    test,
    statement: 'The same seed is the same world, alone or among others.',
  },
  {
    id: 'simulation-04',
    area: 'simulation',
    test,
    statement: 'The simulation meets every kind of failure, and every state in which a client can wait.',
  },
  {
    id: 'simulation-05',
    area: 'simulation',
    test,
    statement: 'Every checker of the simulation finds the defect that it is there for.',
  },
  {
    id: 'simulation-06',
    area: 'simulation',
    test: sessions,
    statement:
      'The seeds meet every part of the world: channel binding and a stranger between, sockets, both families, standbys, poolers, remembered servers, first queries, cancel and close.',
  },
  {
    id: 'simulation-07',
    area: 'simulation',
    test: sessions,
    statement:
      'Every checker of a session finds its defect: a cancel request goes to the address of the session, in its TLS or not at all; a first query runs once; what was to be bound is.',
  },
  {
    id: 'simulation-08',
    area: 'simulation',
    test: sessions,
    statement:
      'The addresses of a name are raced as in RFC 8305: families in turns, 250 ms apart or as soon as one fails, eight at once at most.',
  },
]

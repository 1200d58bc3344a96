/** Properties of the area model: a second opinion, written from the manual alone. */
import type { Property } from './property.ts'

const test = 'test/properties/model.test.ts'

export const MODEL: readonly Property[] = [
  {
    id: 'model-01',
    area: 'model',
    test,
    statement:
      'Whatever a server says in whatever order, the machine and the reference model end alike, have sent the same and know the same.',
  },
  {
    id: 'model-02',
    area: 'model',
    test,
    statement: 'They agree on lawful conversations of every profile, of which each kind of end is met.',
  },
  {
    id: 'model-03',
    area: 'model',
    test,
    statement: 'They agree when one step of a lawful conversation is left out, repeated, replaced or inserted.',
  },
]

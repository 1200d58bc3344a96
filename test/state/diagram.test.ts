import { expect, it } from 'vitest'
import { drawTable } from '../../src/state/diagram.ts'

it('a table is drawn with one arrow per pair of states, and its ends', () => {
  const table = { Open: { Push: 'Shut', Wind: 'Shut', Look: 'Open' }, Shut: {} }
  expect(drawTable(table, 'Open')).toBe(`stateDiagram-v2
  [*] --> Open
  Open --> Shut: Push<br>Wind
  Open --> Open: Look
  Shut --> [*]
`)
})

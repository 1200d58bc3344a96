/** How fast are rows read, as arrays of text, under the simple protocol? */
import type { TimingData } from '../results.ts'
import { measureInTurn } from './in-turn.ts'
import type { World } from './world.ts'

const text = "select i, md5(i::text), now(), null, repeat('x', 50) from generate_series(1, 10000) as i"

export function measureRows(world: World): Promise<TimingData> {
  const [warmup, count, rounds] = world.quick ? [5, 2, 3] : [40, 10, 20]
  return measureInTurn(world, { do: 'rows', text, count: warmup }, { do: 'rows', text, count }, rounds)
}

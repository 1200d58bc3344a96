/** How long does a connect take where the path costs nothing? Connect, first row, close. */
import type { TimingData } from '../results.ts'
import { measureInTurn } from './in-turn.ts'
import type { World } from './world.ts'

export function measureConnect(world: World): Promise<TimingData> {
  const [warmup, count, rounds] = world.quick ? [10, 5, 3] : [200, 20, 20]
  return measureInTurn(world, { do: 'cycles', count: warmup }, { do: 'cycles', count }, rounds)
}

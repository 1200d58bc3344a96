/** Defects as a client could have them, put into what it is given of a simulated world: so the checkers are put to the proof. */
import { expect } from 'vitest'
import type { Runtime } from '../../src/attempt.ts'
import type { Transport } from '../../src/net/transport.ts'
import { type Plan, simulate } from '../../src/testing/index.ts'
import { changeTransport } from '../support/transport.ts'

/** A world in which every connection, counted from 0, is changed on its way to the client. */
export function withTransport(
  change: (transport: Transport, index: number) => Partial<Transport>,
): (runtime: Runtime) => Runtime {
  let dialed = 0
  return (runtime) => ({
    ...runtime,
    dial: async (...given) => {
      const transport = await runtime.dial(...given)
      const index = dialed++
      return changeTransport(transport, change(transport, index))
    },
  })
}

/** A clock that differs from the world's. */
export function withClock(
  change: (clock: Runtime['clock']) => Partial<Runtime['clock']>,
): (runtime: Runtime) => Runtime {
  return (runtime) => {
    const { clock } = runtime
    const own: Runtime['clock'] = {
      now: () => clock.now(),
      setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
      afterPoll: (callback) => clock.afterPoll(callback),
    }
    return { ...runtime, clock: { ...own, ...change(clock) } }
  }
}

/** A defect, the plan in which it shows, and what the checker says of it. */
export interface Defect {
  readonly defect: string
  readonly plan: Plan
  readonly spoil: (runtime: Runtime) => Runtime
  readonly found: RegExp
}

/** The plan alone is in order; with the defect put in, its checker objects. */
export async function expectFound({ defect, plan, spoil, found }: Defect): Promise<void> {
  const { violations } = await simulate(plan)
  expect({ defect, violations }).toEqual({ defect, violations: [] })
  const spoilt = await simulate(plan, spoil)
  expect({ defect, violations: spoilt.violations.join('; ') }).toEqual({
    defect,
    violations: expect.stringMatching(found),
  })
}

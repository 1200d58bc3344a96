/** Plans for a fault proxy: what may happen to a connection between a client and its server. */
import fc from 'fast-check'
import type { FaultPlan, StreamFault } from '../fault-proxy.ts'

export interface FaultPlanBounds {
  /** Positions up to here: about as many bytes as will pass. Early ones are tried more often than others. */
  readonly bytesMax: number
  /** The longest single delay. */
  readonly delayMsMax: number
}

/**
 * Any plan of at most four faults. It shrinks to fewer faults, at earlier bytes.
 *
 * @example
 * const plans = arbitraryFaultPlan({ bytesMax: 600, delayMsMax: 50 })
 * await fc.assert(fc.asyncProperty(plans, async (plan) => survives(plan)))
 */
export function arbitraryFaultPlan({ bytesMax, delayMsMax }: FaultPlanBounds): fc.Arbitrary<FaultPlan> {
  const count = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 1_000 }))
  const hex = fc.uint8Array({ minLength: 1, maxLength: 24 }).map((bytes) => Buffer.from(bytes).toString('hex'))
  const fault = fc
    .tuple(
      arbitraryPlace(bytesMax),
      fc.oneof(
        arbitraryPatience(delayMsMax),
        fc.record({ do: fc.constant('flip' as const), mask: fc.integer({ min: 1, max: 255 }) }),
        fc.record({ do: fc.constantFrom('drop' as const, 'repeat' as const), count }),
        fc.record({ do: fc.constant('inject' as const), hex }),
        fc.record({ do: fc.constantFrom('stall' as const, 'halfClose' as const, 'cut' as const, 'reset' as const) }),
      ),
    )
    .map(([place, what]): StreamFault => ({ ...place, ...what }))
  return fc.array(fault, { maxLength: 4, size: 'max' })
}

/**
 * Any plan that harms nobody who waits: bytes come in pieces, and late, but they come as they were sent.
 *
 * @example
 * const plans = arbitraryPatientPlan({ bytesMax: 600, delayMsMax: 50 })
 */
export function arbitraryPatientPlan({ bytesMax, delayMsMax }: FaultPlanBounds): fc.Arbitrary<FaultPlan> {
  const fault = fc
    .tuple(arbitraryPlace(bytesMax), arbitraryPatience(delayMsMax))
    .map(([place, what]): StreamFault => ({ ...place, ...what }))
  return fc.array(fault, { minLength: 1, maxLength: 6, size: 'max' })
}

function arbitraryPlace(bytesMax: number) {
  return fc.record({
    direction: fc.constantFrom('toServer' as const, 'toClient' as const),
    at: fc.oneof(fc.nat(Math.min(16, bytesMax)), fc.nat(Math.min(200, bytesMax)), fc.nat(bytesMax)),
  })
}

function arbitraryPatience(delayMsMax: number) {
  return fc.oneof(
    fc.record({ do: fc.constant('split' as const) }),
    fc.record({ do: fc.constant('delay' as const), delayMs: fc.nat(delayMsMax) }),
  )
}

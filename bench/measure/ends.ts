/** From what each connect tells, how they ended in sum. */
import type { StormAnswer } from '../clients/orders.ts'
import type { Ends } from '../results.ts'
import { summarize } from '../statistics.ts'

export function gatherEnds(answers: readonly StormAnswer[]): Ends {
  const ends = answers.flatMap((answer) => answer.ends)
  const succeeded = ends.filter(({ failure }) => failure === null)
  const failures: Record<string, number> = {}
  for (const { failure } of ends) if (failure !== null) failures[failure] = (failures[failure] ?? 0) + 1
  const told = ends.flatMap(({ states }) => (states === null ? [] : [states]))
  const sums: Record<string, number> = {}
  for (const states of told) {
    for (const [state, ms] of Object.entries(states)) sums[state] = (sums[state] ?? 0) + ms / told.length
  }
  const cpuMs = answers.reduce((sum, answer) => sum + answer.cpuMs, 0)
  return {
    succeeded: succeeded.length,
    total: ends.length,
    tookMs: succeeded.length === 0 ? null : summarize(succeeded.map(({ tookMs }) => tookMs)),
    cpuMsPerConnect: cpuMs / ends.length,
    loopLagMs: Math.max(...answers.map(({ loopLagMs }) => loopLagMs)),
    failures,
    states: told.length === 0 ? null : sums,
  }
}

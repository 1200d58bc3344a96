/** Verdicts as a table of places and clients, for a terminal of 100 columns. */
import type { Client } from './clients.ts'
import type { Place } from './places.ts'
import { TOLERANCE_MS, type Verdict } from './verdict.ts'

const PLACE_WIDTH = 34
const CELL_WIDTH = 13

export const LEGEND = [
  `+2     ended 2 ms after the deadline (late: more than ${TOLERANCE_MS})    at 9   gave up 9 ms after the call`,
  'ok 30  connected after 30 ms                            never  killed while it still waited',
  'P the error names the place   S the socket was gone   X the process ended by itself   - no   . n/a',
]

export function drawTable(
  places: readonly Pick<Place, 'id' | 'title'>[],
  clients: readonly Pick<Client, 'id'>[],
  verdicts: readonly Verdict[],
): readonly string[] {
  const head = ''.padEnd(PLACE_WIDTH) + clients.map(({ id }) => ` ${id}`.padEnd(CELL_WIDTH)).join('')
  const lines = places.map(({ id, title }) => {
    const cells = clients.map((client) => {
      const verdict = verdicts.find((one) => one.place === id && one.client === client.id)
      return ` ${verdict === undefined ? '' : drawCell(verdict)}`.padEnd(CELL_WIDTH)
    })
    return (title.padEnd(PLACE_WIDTH) + cells.join('')).trimEnd()
  })
  return [head.trimEnd(), ...lines]
}

export function drawCell(verdict: Verdict): string {
  const { namesPlace, isSocketGone, exits } = verdict
  if (isUnmeasured(verdict)) return drawEnd(verdict)
  const marks = [mark(namesPlace, 'P'), mark(isSocketGone, 'S'), mark(exits, 'X')].join('')
  return `${drawEnd(verdict)} ${marks}`
}

/** When it ended, as short as it can be said. */
export function drawEnd({ how, tookMs, overshootMs, text }: Verdict): string {
  if (how === 'skipped') return text.startsWith('n/a') ? 'n/a' : 'unmeasured'
  if (how === 'unsupported' || how === 'never') return how
  if (how === 'crashed') return 'crash'
  if (how === 'connected') return `ok ${Math.round(tookMs ?? 0)}`
  const over = Math.round(overshootMs ?? 0)
  // Before its time: it did not wait for the deadline.
  return over < -TOLERANCE_MS ? `at ${Math.round(tookMs ?? 0)}` : `${over < 0 ? '' : '+'}${over}`
}

export function isUnmeasured({ how }: Verdict): boolean {
  return how === 'skipped' || how === 'unsupported'
}

function mark(answer: boolean | null, letter: string): string {
  return answer === null ? '.' : answer ? letter : '-'
}

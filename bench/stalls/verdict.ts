/**
 * What was seen of one connect, and what follows from it. Pure: from observations to verdicts.
 *
 * An error names the place if it has a word that belongs to the place, and if the same client's error is another one wherever
 * time goes to something else: who reads "timeout expired" at ten places is told nothing by it.
 */
import type { Client, ClientId } from './clients.ts'
import { type Place, STAGES } from './places.ts'

/** Later than this is late: a busy machine's own delay is no client's fault. */
export const TOLERANCE_MS = 250
/** Nobody waits longer. Counts from the call. */
export const CAP_MS = 8_000
/** A process that has nothing to do is gone within this. */
export const EXIT_MS = 1_000

/** 'unsupported': a setting that this version does not have, which says nothing about deadlines. */
export type Ending = 'connected' | 'rejected' | 'crashed' | 'unsupported'

export interface Observation {
  /** null: neither connected nor rejected when the cap was reached. */
  readonly end: { readonly how: Ending; readonly tookMs: number; readonly text: string } | null
  /** Whether the other end saw the socket closed soon after. null: cannot be seen. */
  readonly isSocketGone: boolean | null
  /** Whether the process ended by itself. null: it is no process of its own. */
  readonly exits: boolean | null
}

/** One client at one place. A skipped one has a reason instead of an observation. */
export interface Cell {
  readonly place: Pick<Place, 'id' | 'stage' | 'block'>
  readonly client: Pick<Client, 'id' | 'deadlineMs'>
  readonly seen: Observation | { readonly skipped: string }
}

export interface Verdict {
  readonly place: string
  readonly client: ClientId
  readonly how: 'skipped' | 'never' | Ending
  /** From the call. null if it never ended. */
  readonly tookMs: number | null
  /** Over the deadline, or over the moment at which a blocked loop could run again if that is later. */
  readonly overshootMs: number | null
  /** The questions. null: does not arise. */
  readonly isOnTime: boolean | null
  readonly namesPlace: boolean | null
  readonly isSocketGone: boolean | null
  readonly exits: boolean | null
  /** The error as the client has it, or why nothing was measured. */
  readonly text: string
}

export function judge(cells: readonly Cell[]): readonly Verdict[] {
  return cells.map((cell) => judgeOne(cell, cells))
}

function judgeOne(cell: Cell, all: readonly Cell[]): Verdict {
  const { place, client, seen } = cell
  const unasked = { isOnTime: null, namesPlace: null, isSocketGone: null, exits: null, tookMs: null, overshootMs: null }
  const names = { place: place.id, client: client.id }
  if ('skipped' in seen) return { ...names, ...unasked, how: 'skipped', text: seen.skipped }
  const { end, isSocketGone, exits } = seen
  if (end === null) {
    return { ...names, ...unasked, how: 'never', isOnTime: false, namesPlace: false, isSocketGone, exits, text: '' }
  }
  if (end.how === 'unsupported') return { ...names, ...unasked, how: 'unsupported', tookMs: end.tookMs, text: end.text }
  const { afterMs, durationMs } = place.block ?? { afterMs: 0, durationMs: 0 }
  const overshootMs = end.tookMs - Math.max(client.deadlineMs, afterMs + durationMs)
  return {
    ...names,
    how: end.how,
    tookMs: end.tookMs,
    overshootMs,
    isOnTime: end.how !== 'crashed' && overshootMs <= TOLERANCE_MS,
    namesPlace: end.how === 'connected' ? null : namesPlace(cell, end.text, all),
    isSocketGone,
    exits,
    text: end.text,
  }
}

function namesPlace({ place, client }: Cell, text: string, all: readonly Cell[]): boolean {
  if (!STAGES[place.stage].test(text)) return false
  return !all.some(
    (other) =>
      other.client.id === client.id &&
      other.place.stage !== place.stage &&
      'end' in other.seen &&
      other.seen.end?.how === 'rejected' &&
      signatureOf(other.seen.end.text) === signatureOf(text),
  )
}

/** An error without what merely differs from one connect to the next: names of hosts, addresses, ports, durations. */
export function signatureOf(text: string): string {
  return text
    .replaceAll(/[\w.]+\.example/g, '#')
    .replaceAll(/\d[\d.:,]*/g, '#')
    .replaceAll(/#[:,#]+/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

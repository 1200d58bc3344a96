/** The table that a terminal shows, and the page. */
import { describe, expect, it } from 'vitest'
import { writePage } from '../../../bench/stalls/page.ts'
import { PLACES } from '../../../bench/stalls/places.ts'
import { drawCell, drawTable, LEGEND } from '../../../bench/stalls/table.ts'
import type { Verdict } from '../../../bench/stalls/verdict.ts'
import { quantile } from '../../../bench/statistics.ts'

const VERDICT: Verdict = {
  place: 'tcp',
  client: 'pg',
  how: 'rejected',
  tookMs: 1_004.4,
  overshootMs: 4.4,
  isOnTime: true,
  namesPlace: false,
  isSocketGone: true,
  exits: null,
  text: 'Error: a | b',
}
const CLIENT = {
  id: 'pg',
  title: 'pg 1.2.3',
  setting: 'connectionTimeoutMillis: 1000',
  deadlineMs: 1_000,
  connectsToSeveralHosts: false,
  knowsTargetSessionAttrs: false,
} as const
const IDS = ['pg-deadline', 'pg', 'pg-pool', 'postgres.js', 'libpq'] as const

describe('a cell', () => {
  it.each<[string, Partial<Verdict>]>([
    ['+4 -S.', {}],
    ['+4 PS-', { namesPlace: true, exits: false }],
    ['-198 -S.', { overshootMs: -198 }],
    ['at 20 -S.', { overshootMs: -980, tookMs: 20 }],
    ['ok 31 .S.', { how: 'connected', tookMs: 31, namesPlace: null }],
    ['never -S.', { how: 'never' }],
    ['crash -S.', { how: 'crashed' }],
    ['unsupported', { how: 'unsupported' }],
    ['n/a', { how: 'skipped', text: 'n/a: knows one host' }],
    ['unmeasured', { how: 'skipped', text: 'not measured here: needs root' }],
  ])('%s', (drawn, change) => {
    expect(drawCell({ ...VERDICT, ...change })).toBe(drawn)
  })
})

describe('the table', () => {
  it('of every place and client fits into 100 columns, its cells apart from each other', () => {
    const widest = { ...VERDICT, overshootMs: 6_999, namesPlace: true, exits: true }
    const verdicts = PLACES.flatMap(({ id }) => IDS.map((client) => ({ ...widest, place: id, client })))
    const lines = drawTable(
      PLACES,
      IDS.map((id) => ({ id })),
      verdicts,
    )
    for (const line of [...lines, ...LEGEND]) expect(line.length).toBeLessThanOrEqual(100)
    for (const line of lines.slice(1)) expect(line.match(/ \+6999 PSX/g)).toHaveLength(IDS.length)
  })

  it('leaves a cell empty that has no verdict', () => {
    const lines = drawTable([{ id: 'tcp', title: 'TCP' }], [{ id: 'pg' }, { id: 'libpq' }], [VERDICT])
    expect(lines.map((line) => line.trim().split(/ +/))).toEqual([
      ['pg', 'libpq'],
      ['TCP', '+4', '-S.'],
    ])
  })
})

describe('the page', () => {
  const write = (verdicts: readonly Verdict[]) =>
    writePage({ places: PLACES, clients: [CLIENT], verdicts, figures: [], machine: 'a machine', date: '2026-01-02' })

  it('counts the places, and not the honest server', () => {
    const page = write([
      VERDICT,
      { ...VERDICT, place: 'none', namesPlace: null },
      { ...VERDICT, place: 'tls', isOnTime: false },
    ])
    expect(page).toContain('| pg 1.2.3 | 1 of 2 | 0 of 2 | 2 of 2 | · |\n')
  })

  it('says what is late in bold', () => {
    const page = write([VERDICT, { ...VERDICT, place: 'tls', isOnTime: false, overshootMs: 900 }])
    expect(page).toContain('| TCP connect | +4 ms ✗✓· |\n')
    expect(page).toContain('| TLS handshake | **+900 ms** ✗✓· |\n')
  })

  it('names what is not good of ours, and nothing if all is', () => {
    const ours = { ...VERDICT, client: 'pg-deadline', namesPlace: true } as const
    const heading = 'What is not good, or not measured, of ours:'
    expect(write([ours, VERDICT, { ...VERDICT, place: 'tls', isOnTime: false }])).not.toContain(heading)
    const page = write([
      ours,
      { ...ours, place: 'name-lookup', exits: false },
      { ...ours, place: 'tls', isOnTime: false, namesPlace: false, isSocketGone: false },
      { ...ours, place: 'second-host', how: 'skipped', text: 'not measured here: needs Linux' },
    ])
    expect(page).toContain(
      `${heading}\n\n` +
        '- name lookup: the process does not end\n' +
        '- TLS handshake: does not end on time, the error does not name the place, the socket is not gone\n' +
        '- black hole, then an honest server: not measured here: needs Linux\n\n## Place by place',
    )
  })

  it('says of every aim whether it was reached', () => {
    const figures = [
      { title: 'idle', count: 1, p50: 1, p99: 1, p999: 14.9, max: 15, aimMs: 15 },
      { title: 'a baseline', count: 1, p50: 1, p99: 1, p999: 99, max: 99, aimMs: null },
      { title: 'floods', count: 1, p50: 1, p99: 1, p999: 50, max: 60, aimMs: 50 },
    ]
    const page = writePage({ places: PLACES, clients: [CLIENT], verdicts: [], figures, machine: '', date: '' })
    expect(page).toContain(
      '\n\n- idle: aimed at is a p99.9 below 15 ms; reached in this run.\n' +
        '- floods: aimed at is a p99.9 below 50 ms; not reached in this run.\n\n## What it teaches',
    )
  })

  it('shows an error once, with all of its places, and breaks no table', () => {
    expect(write([VERDICT, { ...VERDICT, place: 'tls' }])).toContain(
      '| Error: a \\| b | TCP connect; TLS handshake |\n',
    )
  })
})

describe('a quantile', () => {
  it.each([
    [0.5, 2],
    [0.51, 3],
    [0.99, 4],
    [1, 4],
    [0, 1],
  ])('%d of four values', (part, value) => {
    expect(quantile([1, 2, 3, 4], part)).toBe(value)
  })
})

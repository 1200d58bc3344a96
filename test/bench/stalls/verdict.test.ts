/** From what was seen of a connect to what the table says of it. */
import { describe, expect, it } from 'vitest'
import { type Cell, judge, type Observation, signatureOf } from '../../../bench/stalls/verdict.ts'

const LATE_TEXT = 'Error: timeout expired'

function cell(id: string, stage: Cell['place']['stage'], seen: Partial<Observation>, deadlineMs = 1_000): Cell {
  const end = { how: 'rejected', tookMs: 1_010, text: LATE_TEXT } as const
  return {
    place: { id, stage },
    client: { id: 'pg', deadlineMs },
    seen: { end, isSocketGone: true, exits: true, ...seen },
  }
}

function rejected(tookMs: number, text = LATE_TEXT): Partial<Observation> {
  return { end: { how: 'rejected', tookMs, text } }
}

describe('the end of a connect', () => {
  it.each([
    ['at the deadline', 1_000, true],
    ['as late as is tolerated', 1_250, true],
    ['a little later', 1_251, false],
    ['before the deadline', 20, true],
  ])('%s', (_name, tookMs, isOnTime) => {
    expect(judge([cell('tcp', 'dial', rejected(tookMs))])[0]).toMatchObject({ isOnTime, overshootMs: tookMs - 1_000 })
  })

  it('counts from where a blocked loop can run again, if that is later', () => {
    const blocked = cell('loop', 'startup', rejected(1_510))
    const place = { ...blocked.place, block: { afterMs: 500, durationMs: 1_000 } }
    expect(judge([{ ...blocked, place }])[0]).toMatchObject({ overshootMs: 10, isOnTime: true })
    const short = { ...blocked.place, block: { afterMs: 100, durationMs: 100 } }
    expect(judge([{ ...blocked, place: short }])[0]).toMatchObject({ overshootMs: 510, isOnTime: false })
  })

  it('that never came is neither on time nor named', () => {
    const left = { isSocketGone: false, exits: false }
    const verdict = { how: 'never', isOnTime: false, namesPlace: false, ...left }
    expect(judge([cell('tcp', 'dial', { end: null, ...left })])[0]).toMatchObject(verdict)
  })

  it('of a process that broke down is not on time, however early', () => {
    expect(judge([cell('tcp', 'dial', { end: { how: 'crashed', tookMs: 5, text: '' } })])[0]).toMatchObject({
      isOnTime: false,
    })
  })

  it.each([
    ['skipped', { skipped: 'n/a: knows one host' }],
    ['unsupported', { end: { how: 'unsupported', tookMs: 2, text: '' }, isSocketGone: true, exits: true }],
  ] as const)('that was %s answers nothing', (how, seen) => {
    const nothing = { isOnTime: null, namesPlace: null, isSocketGone: null, exits: null }
    expect(judge([{ ...cell('tcp', 'dial', {}), seen }])[0]).toMatchObject({ how, ...nothing })
  })
})

describe('an error names the place', () => {
  const named = (...cells: Cell[]) => judge(cells).map(({ namesPlace }) => namesPlace)

  it('with a word of the place that it does not use elsewhere', () => {
    expect(named(cell('tls', 'tls', rejected(1, 'no TLS')), cell('tcp', 'dial', rejected(1, 'not connected')))).toEqual(
      [true, true],
    )
  })

  it('but not without such a word', () => {
    expect(named(cell('tls', 'tls', rejected(1, 'write CONNECT_TIMEOUT undefined:undefined')))).toEqual([false])
  })

  it('but not if it is the same where the time goes to something else', () => {
    const [one, other] = ['write CONNECT_TIMEOUT 127.0.0.1:40001', 'write CONNECT_TIMEOUT db.stall.example:5432']
    expect(named(cell('tcp', 'dial', rejected(1, one)), cell('lookup', 'lookup', rejected(1, other)))).toEqual([
      false,
      false,
    ])
  })

  it('also if it is the same where the time goes to the same thing', () => {
    const text = 'waiting for the password to be accepted'
    expect(named(cell('md5', 'verdict', rejected(1, text)), cell('ok', 'verdict', rejected(1, text)))).toEqual([
      true,
      true,
    ])
  })

  it("also if it is another client's error elsewhere", () => {
    const other = {
      ...cell('tls', 'tls', rejected(1, 'cannot connect')),
      client: { id: 'libpq', deadlineMs: 2_000 } as const,
    }
    expect(named(cell('tcp', 'dial', rejected(1, 'cannot connect')), other)[0]).toBe(true)
  })

  it('and where it connected there is none', () => {
    expect(named(cell('tcp', 'dial', { end: { how: 'connected', tookMs: 9, text: '' } }))).toEqual([null])
  })
})

describe('what differs from one connect to the next', () => {
  it.each([
    ['connect to 127.0.0.1:5432 failed', 'connect to # failed'],
    ['hosts 127.0.0.1,127.0.0.1:1,2', 'hosts #'],
    ['write CONNECT_TIMEOUT db.stall.example:5432', 'write CONNECT_TIMEOUT #'],
    ['two\n  lines', 'two lines'],
  ])('%j is left out', (text, signature) => {
    expect(signatureOf(text)).toBe(signature)
  })
})

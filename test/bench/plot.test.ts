import { describe, expect, it } from 'vitest'
import { drawBars, drawLines, short, ticksUpTo } from '../../bench/page/plot.ts'

const BARS = drawBars({
  title: 'Connects & <others>',
  unit: 'ms',
  groups: [
    {
      name: 'plain',
      bars: [
        { name: 'one', series: 0, value: 50, low: 40, high: 100 },
        { name: 'two', series: 1, value: 25, low: 25, high: 25 },
      ],
    },
  ],
})

const LINES = drawLines({
  title: 'Success',
  xTitle: 'deadline, ms',
  xLabels: ['100', '250'],
  yTitle: 'success, %',
  yMax: 100,
  panels: [
    {
      name: 'plain',
      lines: [
        { name: 'one', series: 0, values: [0, 100] },
        { name: 'two', series: 1, values: [null, 50] },
      ],
    },
  ],
})

describe.each([
  ['bars', BARS],
  ['lines', LINES],
])('a plot of %s', (_, svg) => {
  it('is well-formed: every element that is opened is closed', () => {
    const open: string[] = []
    for (const [, slash, name = '', closed] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/gi)) {
      if (slash) expect(open.pop()).toBe(name)
      else if (!closed) open.push(name)
    }
    expect(open).toEqual([])
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })

  it('can be read on a dark ground, and by who cannot see it', () => {
    expect(svg).toContain('prefers-color-scheme: dark')
    expect(svg).toMatch(/role="img" aria-label="[^"]+"/)
  })

  it('says its unit', () => {
    expect(svg).toMatch(/>ms<|deadline, ms/)
  })
})

describe('bars', () => {
  it('are as long as what they stand for', () => {
    const widths = [...BARS.matchAll(/class="bar [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
    expect(widths).toHaveLength(2)
    expect(Number(widths[0]) / Number(widths[1])).toBeCloseTo(2, 1)
  })

  it('have names in which nothing is markup', () => {
    expect(BARS).toContain('Connects &amp; &lt;others&gt;')
    expect(BARS).not.toContain('<others>')
  })
})

describe('lines', () => {
  it('have a point for each figure, and none where nothing was measured', () => {
    expect(LINES.match(/<circle/g)).toHaveLength(3)
  })

  it('go up where the figures do', () => {
    const [, points = ''] = /class="line s0"[^>]*points="([^"]+)"/.exec(LINES) ?? []
    const [first, second] = points.split(' ').map((point) => Number(point.split(',')[1]))
    expect(Number(second)).toBeLessThan(Number(first))
  })
})

describe('ticks', () => {
  it.each([
    [100, [0, 20, 40, 60, 80, 100]],
    [7, [0, 2, 4, 6, 8]],
    [0.3, [0, 0.1, 0.2, 0.3]],
    [0, [0, 1]],
  ])('up to %d are round', (max, ticks) => {
    expect(ticksUpTo(max)).toEqual(ticks)
  })
})

it.each([
  [1234.5, '1235'],
  [0.123456, '0.123'],
  [20, '20'],
])('a figure has three digits that count: %d', (value, text) => {
  expect(short(value)).toBe(text)
})

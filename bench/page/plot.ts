/**
 * Bars and lines as SVG, without a dependency. It knows figures, names and units, and not what they mean. Readable on a light and
 * on a dark ground, which it brings along; what differs by colour differs by shape as well.
 */

/** Okabe and Ito's colours, told apart by most who do not see all of them; and lighter ones for the dark. */
const COLOURS = [
  { light: '#0072b2', dark: '#56b4e9' },
  { light: '#009e73', dark: '#2fcf9f' },
  { light: '#d55e00', dark: '#ff9445' },
  { light: '#a3478a', dark: '#e29cc8' },
  { light: '#7a6a00', dark: '#f0e442' },
  { light: '#666666', dark: '#aaaaaa' },
]
const DASHES = ['', '7 3', '2 3', '9 3 2 3', '4 4', '1 2']

const STYLE = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .small { font-size: 11px }
.ground { fill: #ffffff } .axis { stroke: #8c959f } .grid { stroke: #d0d7de } .spread { stroke: #1f2328 }
${COLOURS.map(({ light }, index) => `.s${index} { --c: ${light} }`).join(' ')}
.bar { fill: var(--c) } .line { stroke: var(--c); fill: none; stroke-width: 2 } .dot { fill: var(--c) }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ground { fill: #0d1117 } .axis { stroke: #6e7681 } .grid { stroke: #30363d } .spread { stroke: #e6edf3 }
${COLOURS.map(({ dark }, index) => `.s${index} { --c: ${dark} }`).join(' ')}
}
</style>`

export interface Bar {
  readonly name: string
  /** Which colour. */
  readonly series: number
  readonly value: number
  /** The middle half. */
  readonly low: number
  readonly high: number
}

export interface BarPlot {
  readonly title: string
  readonly unit: string
  readonly groups: readonly { readonly name: string; readonly bars: readonly Bar[] }[]
}

const WIDTH = 760
const LEFT = 190
const RIGHT = 90
const ROW = 24

/** Bars lie, so that their names can be read. The thin line is the middle half of what was measured. */
export function drawBars({ title, unit, groups }: BarPlot): string {
  const ticks = ticksUpTo(
    Math.max(0, ...groups.flatMap(({ bars }) => bars.map(({ value, high }) => Math.max(value, high)))),
  )
  const max = ticks.at(-1) ?? 1
  const x = (value: number) => LEFT + (value / max) * (WIDTH - LEFT - RIGHT)
  const parts: string[] = []
  let y = 44
  const top = y
  for (const group of groups) {
    parts.push(`<text class="small" x="12" y="${y + 16}">${escapeXml(group.name)}</text>`)
    y += ROW
    for (const { name, series, value, low, high } of group.bars) {
      const middle = y + ROW / 2
      parts.push(
        `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${escapeXml(name)}</text>`,
        `<rect class="bar s${series}" x="${LEFT}" y="${y + 4}" width="${fixed(x(value) - LEFT)}" height="${ROW - 8}"/>`,
        `<line class="spread" x1="${fixed(x(low))}" y1="${middle}" x2="${fixed(x(high))}" y2="${middle}"/>`,
        `<text class="small" x="${fixed(x(Math.max(value, high)) + 6)}" y="${middle + 4}">${short(value)}</text>`,
      )
      y += ROW
    }
  }
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${fixed(x(tick))}" y1="${top}" x2="${fixed(x(tick))}" y2="${y}"/>` +
      `<text class="small" x="${fixed(x(tick))}" y="${y + 16}" text-anchor="middle">${short(tick)}</text>`,
  )
  const axis = `<text class="small" x="${WIDTH - RIGHT + 16}" y="${y + 16}">${escapeXml(unit)}</text>`
  return frame(title, y + 28, [...grid, ...parts, axis])
}

export interface LinePlot {
  readonly title: string
  readonly xTitle: string
  /** As categories, evenly apart. */
  readonly xLabels: readonly string[]
  readonly yTitle: string
  readonly yMax: number
  readonly panels: readonly {
    readonly name: string
    /** null: nothing was measured there. */
    readonly lines: readonly {
      readonly name: string
      readonly series: number
      readonly values: readonly (number | null)[]
    }[]
  }[]
}

const PANEL_HEIGHT = 200
const PANEL_GAP = 56
const PER_ROW = 2

/** Panels side by side, two in a row, all of one scale. */
export function drawLines({ title, xTitle, xLabels, yTitle, yMax, panels }: LinePlot): string {
  const width = (WIDTH - 24) / PER_ROW
  const parts: string[] = []
  const rows = Math.ceil(panels.length / PER_ROW)
  for (const [index, { name, lines }] of panels.entries()) {
    const left = 56 + (index % PER_ROW) * width
    const right = left + width - 76
    const top = 68 + Math.floor(index / PER_ROW) * (PANEL_HEIGHT + PANEL_GAP)
    const bottom = top + PANEL_HEIGHT - 30
    const x = (at: number) => left + 10 + (at / Math.max(1, xLabels.length - 1)) * (right - left - 20)
    const y = (value: number) => bottom - (Math.min(value, yMax) / yMax) * (bottom - top)
    parts.push(`<text x="${fixed(left)}" y="${top - 10}">${escapeXml(name)}</text>`)
    for (const tick of ticksUpTo(yMax).filter((one) => one <= yMax)) {
      parts.push(
        `<line class="grid" x1="${fixed(left)}" y1="${fixed(y(tick))}" x2="${fixed(right)}" y2="${fixed(y(tick))}"/>`,
        `<text class="small" x="${fixed(left - 6)}" y="${fixed(y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
      )
    }
    for (const [at, label] of xLabels.entries()) {
      parts.push(
        `<text class="small" x="${fixed(x(at))}" y="${bottom + 16}" text-anchor="middle">${escapeXml(label)}</text>`,
      )
    }
    parts.push(
      `<text class="small" x="${fixed((left + right) / 2)}" y="${bottom + 32}" text-anchor="middle">${escapeXml(xTitle)}</text>`,
      `<text class="small" transform="translate(${fixed(left - 40)} ${fixed((top + bottom) / 2)}) rotate(-90)" text-anchor="middle">${escapeXml(yTitle)}</text>`,
    )
    for (const { series, values } of lines) {
      const points = values.flatMap((value, at) => (value === null ? [] : [[x(at), y(value)] as const]))
      parts.push(
        `<polyline class="line s${series}" stroke-dasharray="${DASHES[series] ?? ''}" points="${points.map(([a, b]) => `${fixed(a)},${fixed(b)}`).join(' ')}"/>`,
        ...points.map(([a, b]) => `<circle class="dot s${series}" cx="${fixed(a)}" cy="${fixed(b)}" r="3"/>`),
      )
    }
  }
  const named = new Map(panels.flatMap(({ lines }) => lines.map(({ name, series }) => [name, series] as const)))
  const step = (WIDTH - 24) / Math.max(1, named.size)
  const legend = [...named].map(([name, series], index) => {
    const left = 12 + index * step
    return (
      `<line class="line s${series}" stroke-dasharray="${DASHES[series] ?? ''}" x1="${fixed(left)}" y1="40" x2="${fixed(left + 30)}" y2="40"/>` +
      `<text class="small" x="${fixed(left + 36)}" y="44">${escapeXml(name)}</text>`
    )
  })
  return frame(title, 68 + rows * (PANEL_HEIGHT + PANEL_GAP) - 20, [...legend, ...parts])
}

function frame(title: string, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<title>${escapeXml(title)}</title>
${STYLE}
<rect class="ground" width="${WIDTH}" height="${height}"/>
<text class="title" x="12" y="22">${escapeXml(title)}</text>
${parts.join('\n')}
</svg>`
}

/** Round numbers from 0 on, the last of them not below the maximum. */
export function ticksUpTo(max: number): readonly number[] {
  if (!(max > 0)) return [0, 1]
  const rough = max / 5
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((one) => one * magnitude >= rough) ?? 10) * magnitude
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

/** Three figures: more nobody can measure here. */
export function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)))
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

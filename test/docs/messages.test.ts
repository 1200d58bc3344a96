/** docs/messages.md: every message has its worked example, and its bytes are the ones that the codec's tests read and write. */
import { describe, expect, it } from 'vitest'
import { ALL_MESSAGES, examplesOf, titleOf } from '../protocol/examples.ts'
import { blocksOf, readPage } from '../support/page.ts'

const PAGE = readPage('docs/messages.md')

describe('docs/messages.md', () => {
  it.each(ALL_MESSAGES.map((layout) => [layout.name, layout] as const))('has an example of %s', (name, layout) => {
    const from = PAGE.indexOf(`### [${name}](`)
    expect(from).toBeGreaterThan(0)
    const [block = ''] = blocksOf(PAGE.slice(from), 'text')
    const digits = block.split('\n').map((line) => line.slice(0, 23).replaceAll(' ', ''))
    const example = examplesOf(layout)[0]
    expect(digits.join(''), example && titleOf(example)).toBe(example?.bytes.toString('hex'))
    expect(block).toContain('length: Int32')
  })
})

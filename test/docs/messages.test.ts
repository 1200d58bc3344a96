/** docs/messages.md: every message has its worked example, and its bytes are the ones that the codec's tests read and write. */
import { describe, expect, it } from 'vitest'
import { ALL_MESSAGES, examplesOf } from '../protocol/examples.ts'
import { blocksOf, readPage } from '../support/page.ts'

// One message is one heading, of which a few come twice: CopyData goes both ways.
const SECTIONS = readPage('docs/messages.md').split(/^### /m).slice(1)

describe('docs/messages.md', () => {
  it.each(ALL_MESSAGES.map((layout, index) => [layout.name, layout, index] as const))(
    'has an example of %s',
    (name, layout, index) => {
      const section = SECTIONS[index] ?? ''
      expect(section.startsWith(`[${name}](`)).toBe(true)
      const [block = ''] = blocksOf(section, 'text')
      const digits = block.split('\n').map((line) => line.slice(0, 23).replaceAll(' ', ''))
      expect(digits.join('')).toBe(examplesOf(layout)[0]?.bytes.toString('hex'))
      expect(block).toContain('length: Int32')
    },
  )
})

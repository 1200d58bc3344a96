/**
 * The transcripts of this folder as data: prose for people, and blocks of bytes that are recorded from a real server and run as
 * tests (test/docs/wire.test.ts). `npm run record` replaces the blocks and leaves the prose.
 *
 *   ## Connection 1            which connection the following belongs to; without one, the first
 *   ### Dialing → Connected    states, in order; what was said belongs to the last of them
 *   ```json                    what is needed to play it again (Facts)
 *   ```wire                    messages: '→' is sent, '←' received, each byte beside what it is
 */

import { type Direction, type Dissection, Dissector } from '../../src/cli/dissect.ts'
import { drawBytes } from '../../src/cli/draw-bytes.ts'
import { explain } from '../../src/cli/explain.ts'
import type { ConnectTarget } from '../../src/config/target.ts'

/** What is needed to play a transcript again. */
export interface Facts {
  /** Which server it was. */
  readonly server: string
  /** For connect(); where it is, is of no consequence. Paths are those of this repository. */
  readonly target: ConnectTarget
  /** What stood for randomness, in hexadecimal digits: the client's nonce is these bytes in base64. */
  readonly randomBytes: string
  /** What came of TLS, if there was any. Its records are opaque; what was said inside stands here in plaintext. */
  readonly tls?: {
    readonly version: string
    readonly cipher: string
    readonly alpnProtocol: string | null
    /** Where it is, and the hash that channel binding binds to (RFC 5929: tls-server-end-point). */
    readonly certificate: string
    readonly certificateHash: string
  }
}

/** One message, or the end of the connection: then there are no bytes. */
export interface Step {
  readonly direction: Direction
  readonly bytes: Buffer | null
}

/** What happened under one heading. */
export interface Section {
  readonly connection: number
  readonly states: readonly string[]
  readonly steps: readonly Step[]
}

export interface Transcript {
  readonly facts: Facts
  readonly sections: readonly Section[]
}

const TEXT_WIDTH = 74
const HEX_FROM = 2
const HEX_TO = HEX_FROM + 23
const END = '← the server closes the connection'

/** Throws for what is not written as above, with the line. */
export function parseTranscript(markdown: string): Transcript {
  const { facts, sections } = walk(markdown)
  if (facts === null) throw new Error('there is no block of json, with the facts')
  return { facts, sections }
}

/** The same text with other facts and steps. Throws if its headings are not what happened. */
export function rewriteTranscript(markdown: string, { facts, sections }: Transcript): string {
  // A block may be empty still.
  const told = walk(markdown).sections.flatMap((section) => outlineOf(section, section.hasBlock))
  const happened = sections.flatMap((section) => outlineOf(section, section.steps.length > 0))
  if (JSON.stringify(told) !== JSON.stringify(happened)) {
    throw new Error(`the headings say\n  ${told.join('\n  ')}\nand what happened is\n  ${happened.join('\n  ')}`)
  }
  const dissectors = new Map<number, Dissector>()
  const blocks = sections.filter(({ steps }) => steps.length > 0).map((section) => drawSection(section, dissectors))
  const rewritten = markdown
    .replace(/^```json\n[\s\S]*?^```$/m, () => `\`\`\`json\n${JSON.stringify(facts, null, 2)}\n\`\`\``)
    .replaceAll(/^```wire\n[\s\S]*?^```$/gm, () => `\`\`\`wire\n${blocks.shift() ?? ''}\n\`\`\``)
  if (blocks.length > 0) throw new Error(`${blocks.length} blocks of \`\`\`wire are missing`)
  return rewritten
}

/** A block as it is written. Dissectors are by connection: what was asked decides what an answer is. */
export function drawSection({ connection, steps }: Section, dissectors: Map<number, Dissector>): string {
  const dissector = dissectors.get(connection) ?? new Dissector()
  dissectors.set(connection, dissector)
  return steps
    .map(({ direction, bytes }) => (bytes === null ? END : drawMessage(direction, dissector.dissect(direction, bytes))))
    .join('\n\n')
}

function drawMessage(direction: Direction, dissection: Dissection): string {
  const { name, bytes } = dissection
  const heading = `${direction === 'sent' ? '→' : '←'} ${name}, ${bytes.length} byte${bytes.length === 1 ? '' : 's'}`
  const lines = drawBytes(explain(dissection), [], TEXT_WIDTH).map(({ hex, text }) => `  ${hex}  ${text}`.trimEnd())
  return [heading, ...lines].join('\n')
}

/** State by state, whatever shares a heading. */
function outlineOf({ connection, states }: Section, isSpeaking: boolean): string[] {
  return states.map((state, index) => {
    const what = index === states.length - 1 && isSpeaking ? 'something' : 'nothing'
    return `connection ${connection}, ${state}: ${what} is said`
  })
}

/** A section, and whether it has a block. */
type Told = Section & { readonly hasBlock: boolean }

function walk(markdown: string): { readonly facts: Facts | null; readonly sections: Told[] } {
  let facts: Facts | null = null
  let connection = 1
  let block: string | null = null
  let lines: string[] = []
  const sections: (Told & { hasBlock: boolean; steps: Step[] })[] = []
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line)?.[1]
    if (block !== null) {
      if (fence === undefined) {
        lines.push(line)
        continue
      }
      if (block === 'json') facts = JSON.parse(lines.join('\n')) as Facts
      if (block === 'wire') {
        const section = sections.at(-1)
        if (section === undefined) throw new Error(`line ${index + 1}: bytes before the first state`)
        section.steps.push(...parseBlock(lines))
        section.hasBlock = true
      }
      block = null
    } else if (fence !== undefined) {
      block = fence
      lines = []
    }
    if (block !== null) continue
    connection = Number(/^## Connection (\d+)/.exec(line)?.[1] ?? connection)
    const states = /^### (\w+(?: → \w+)*)$/.exec(line)?.[1]
    if (states !== undefined) sections.push({ connection, states: states.split(' → '), steps: [], hasBlock: false })
  }
  return { facts, sections }
}

function parseBlock(lines: readonly string[]): Step[] {
  const steps: { direction: Direction; digits: string | null }[] = []
  for (const line of lines) {
    if (line === END) steps.push({ direction: 'received', digits: null })
    else if (/^[→←] /.test(line)) steps.push({ direction: line.startsWith('→') ? 'sent' : 'received', digits: '' })
    else if (line !== '') {
      const step = steps.at(-1)
      if (step === undefined || step.digits === null) throw new Error(`bytes of no message: ${line}`)
      step.digits += line.slice(HEX_FROM, HEX_TO).replaceAll(' ', '')
    }
  }
  return steps.map(({ direction, digits }) => ({
    direction,
    bytes: digits === null ? null : Buffer.from(digits, 'hex'),
  }))
}

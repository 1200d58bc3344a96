/**
 * Bytes as people have them at hand: pairs of digits with or without something between, PostgreSQL's \x, lists of 0x52, and the
 * dumps of xxd, hexdump -C, od and tcpdump -X with their offsets and their column of text. Comments begin with '#'.
 */
import { InputError } from './capture.ts'

/** What stands in one piece: a dump may show several packets, each counting from 0. */
export type Block = Buffer

/** Throws InputError with the line and what was found. */
export function readHex(text: string): Block[] {
  const blocks: Buffer[][] = [[]]
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.replace(/#.*$/, '').trim()
    if (line === '' || isPacketHeading(line)) continue
    const soFar = lengthOf(blocks.at(-1) ?? [])
    const dumped = readDumpLine(line, soFar)
    if (dumped?.offset === 0 && soFar > 0) blocks.push([])
    blocks.at(-1)?.push(digitsToBytes(dumped?.digits ?? line, index + 1))
  }
  return blocks.map((parts) => Buffer.concat(parts)).filter((block) => block.length > 0)
}

/** '0x0010:  4500 0034 …  E..4', '00000010: 4500 0034  E..4', '00000010  45 00  34 00  |E.4.|', '0000020 45 00 34'. */
function readDumpLine(line: string, soFar: number): { readonly offset: number; readonly digits: string } | null {
  const withColon = /^(?:0x)?([0-9a-f]{4,16}):\s+(.*)$/i.exec(line)
  if (withColon !== null) {
    // Two blanks or more begin the column of text.
    return { offset: Number.parseInt(withColon[1] ?? '', 16), digits: (withColon[2] ?? '').split(/\s{2,}/)[0] ?? '' }
  }
  const [, first = '', rest = ''] = /^([0-9a-f]{6,8})\s+(.*)$/i.exec(line) ?? []
  const digits = rest.split('|')[0] ?? ''
  if (!/^[0-9a-f]{2}(\s+[0-9a-f]{2})*\s*$/i.test(digits)) {
    // The last line of a dump only counts.
    return isOffset(line, soFar) && soFar > 0 ? { offset: soFar, digits: '' } : null
  }
  return isOffset(first, soFar) ? { offset: Number.parseInt(first, 16), digits } : null
}

/** hexdump counts in base 16 and od in base 8. A dump that begins again counts from 0. */
function isOffset(text: string, soFar: number): boolean {
  if (!/^[0-9a-f]{6,8}$/i.test(text)) return false
  return /^0+$/.test(text) || Number.parseInt(text, 16) === soFar || Number.parseInt(text, 8) === soFar
}

/** tcpdump's line above each packet: a time, and 'IP' or 'IP6'. */
function isPacketHeading(line: string): boolean {
  return /\bIP6? .* > /.test(line)
}

function digitsToBytes(text: string, lineNumber: number): Buffer {
  const digits = text.replaceAll(/\\x|\b0x|[\s,:;{}"'()]/gi, '')
  const stranger = /[^0-9a-f]/i.exec(digits)
  if (stranger !== null) {
    const column = text.indexOf(stranger[0]) + 1
    const got = JSON.stringify(stranger[0])
    throw new InputError(`line ${lineNumber}, column ${column}`, `expected hexadecimal digits, got ${got}`)
  }
  if (digits.length % 2 === 1) {
    throw new InputError(`line ${lineNumber}`, `expected pairs of hexadecimal digits, got ${digits.length} digits`)
  }
  return Buffer.from(digits, 'hex')
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}

/**
 * `pg-deadline decode`: bytes, as hexadecimal digits in any common form or as they are, or a capture, become messages. It needs no
 * server and no session.
 */
import { parseArgs } from 'node:util'
import type { CaptureEntry, CaptureHeader } from './capture.ts'
import { isCapture, parseCapture } from './capture-file.ts'
import { type Io, runCommand, UsageError } from './command.ts'
import { type Direction, Dissector } from './dissect.ts'
import { EXIT_CODE, type ExitCode } from './exit-code.ts'
import { chooseFormat, FORMAT_HELP, FORMAT_OPTIONS, type FormatChoice } from './formats.ts'
import { guessDirection, type Reading, read, readOn } from './guess-direction.ts'
import { describeFault } from './hear.ts'
import { readHex } from './read-hex.ts'
import { readInput } from './read-input.ts'
import { showCapture } from './show-capture.ts'
import { directionOf, readPacket } from './strip-packet.ts'

const HELP = `\
Bytes of PostgreSQL's protocol, explained.

  pg-deadline decode 5200000008 00000000
  pg-deadline decode dump.txt
  tcpdump -Xr trace.pcap 'port 5432' | pg-deadline decode --format text
  pg-deadline decode --format json capture.ndjson

Usage: pg-deadline decode [OPTION]... [HEX... | FILE | -]

The bytes may be hexadecimal digits with blanks, commas or colons in between,
\\x5200, lists of 0x52, the dumps of xxd, hexdump -C, od -tx1 and tcpdump -X, or
the bytes themselves; or a capture that trace --save has written. Without an
argument they are read from stdin.

  --direction DIRECTION  who spoke: frontend (the client) or backend (the
                         server); guessed if the bytes leave no doubt
${FORMAT_HELP}
Exit codes: 0 all of it was understood; 3 called wrongly, or no bytes; 4 some
of the bytes are no message
`

/** Run the command. Never rejects. */
export function decode(args: readonly string[], io: Io): Promise<ExitCode> {
  return runCommand('decode', io, () => run(args, io))
}

async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const options = { ...FORMAT_OPTIONS, direction: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  if (values.help === true) {
    io.stdout.write(HELP)
    return EXIT_CODE.ready
  }
  const format = chooseFormat(values, 'hex')
  const direction = chooseDirection(values.direction)
  const blocks = await readBlocks(positionals, io)
  if (!Array.isArray(blocks)) {
    const capture = parseCapture(blocks)
    await showCapture(io, capture, format)
    return findMalformed(capture.entries) ? EXIT_CODE.violation : EXIT_CODE.ready
  }
  if (blocks.length === 0) throw new UsageError('there are no bytes to decode')
  return show(io, readMessages(blocks, direction), format)
}

function chooseDirection(value: string | undefined): Direction | null {
  if (value === undefined) return null
  if (value === 'frontend') return 'sent'
  if (value === 'backend') return 'received'
  throw new UsageError(`--direction: expected frontend or backend, got ${value}`)
}

/** Blocks of bytes, or the text of a capture. */
async function readBlocks(positionals: readonly string[], io: Io): Promise<Buffer[] | string> {
  const argument = positionals.join(' ')
  // What consists of digits is bytes; a file of such a name can be called ./beef.
  if (positionals.length > 0 && /^[\s0-9a-fx\\:,]+$/i.test(argument)) return readHex(argument)
  if (positionals.length > 1) throw new UsageError(`expected hexadecimal digits or one file, got ${argument}`)
  const input = await readInput(io, positionals[0] ?? '-')
  // No text has zero bytes, and hardly anything in this protocol has none.
  if (input.includes(0)) return [input]
  const text = input.toString('utf8')
  return isCapture(text) ? text : readHex(text)
}

/** Everything that was said, in order. A message may begin in one packet and end in another; a block stands for itself. */
function readMessages(blocks: readonly Buffer[], direction: Direction | null): Reading[] {
  const dissector = new Dissector()
  const rests: Record<Direction, Buffer> = { sent: Buffer.alloc(0), received: Buffer.alloc(0) }
  const readings = blocks.flatMap((block): Reading | Reading[] => {
    const packet = readPacket(block)
    if (packet === null) return direction === null ? guess(block) : read(direction, block, dissector)
    const { payload } = packet
    const known = direction ?? directionOf(packet)
    // Most packets are an acknowledgement and nothing else.
    if (payload.length === 0) return { direction: 'sent', messages: [], fault: null }
    if (known === null) return guess(payload)
    const reading = readOn(known, Buffer.concat([rests[known], payload]), dissector)
    rests[known] = reading.rest
    return reading
  })
  const ends = (['sent', 'received'] as const).map((one) => read(one, rests[one], dissector))
  return [...readings, ...ends]
}

function guess(bytes: Buffer): Reading[] {
  const readings = guessDirection(bytes)
  if (readings.length > 1 && readings.every(({ fault }) => fault === null)) {
    const names = readings.map(({ messages }) => messages.map(({ name }) => name).join(', '))
    throw new UsageError(
      `either side could have said this (frontend: ${names[0]}; backend: ${names[1]}): add --direction frontend or backend`,
    )
  }
  return [...readings]
}

async function show(io: Io, readings: readonly Reading[], format: FormatChoice): Promise<ExitCode> {
  const header: CaptureHeader = { server: 'decoded', startedAtMs: null, timeoutMs: null, secrets: 'shown' }
  const entries = readings.flatMap(({ direction, messages }) =>
    messages.map(({ bytes }): CaptureEntry => ({ kind: 'message', atMs: 0, direction, bytes, redacted: [] })),
  )
  await showCapture(io, { header, entries }, { ...format, hasTimes: false })
  const faults = readings.flatMap(({ direction, fault }) => (fault === null ? [] : [{ direction, fault }]))
  for (const { direction, fault } of faults) {
    const who = direction === 'sent' ? 'frontend' : 'backend'
    io.stderr.write(`pg-deadline decode: ${describeFault(fault)} (read as what the ${who} says)\n`)
  }
  return faults.length > 0 ? EXIT_CODE.violation : EXIT_CODE.ready
}

/** A capture may hold bytes that are no message: that is what somebody wants to see. */
function findMalformed(entries: readonly CaptureEntry[]): boolean {
  let dissector = new Dissector()
  return entries.some((entry) => {
    if (entry.kind === 'attempt') dissector = new Dissector()
    return entry.kind === 'message' && read(entry.direction, entry.bytes, dissector).fault !== null
  })
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeCapture } from '../../src/cli/capture-file.ts'
import { decode } from '../../src/cli/decode.ts'
import { captureOf } from './captures.ts'
import { fakeIo, type Given } from './fake-io.ts'

/** AuthenticationOk, BackendKeyData, ReadyForQuery. */
const BACKEND = '52 00 00 00 08 00 00 00 00 4b 00 00 00 0c 00 00 00 07 de ad be ef 5a 00 00 00 05 49'
const BYTES = Buffer.from(BACKEND.replaceAll(' ', ''), 'hex')
const NAMES = ['AuthenticationOk', 'BackendKeyData', 'ReadyForQuery']

async function run(args: readonly string[], given: Given = {}) {
  const io = fakeIo(given)
  const code = await decode(args, io)
  return { code, out: io.out(), err: io.err() }
}

/** The names of the messages, with arrows. */
function namesIn(out: string): string[] {
  return [...out.matchAll(/^([→←] \w+(?: \w+)?), \d+ bytes?/gm)].map(([, name]) => String(name))
}

const XXD = `\
00000000: 5200 0000 0800 0000 004b 0000 000c 0000  R........K......
00000010: 0007 dead beef 5a00 0000 0549            ......Z....I
`
const HEXDUMP = `\
00000000  52 00 00 00 08 00 00 00  00 4b 00 00 00 0c 00 00  |R........K......|
00000010  00 07 de ad be ef 5a 00  00 00 05 49              |......Z....I|
0000001c
`
const OD = `\
0000000 52 00 00 00 08 00 00 00 00 4b 00 00 00 0c 00 00
0000020 00 07 de ad be ef 5a 00 00 00 05 49
0000034
`

describe('bytes', () => {
  it.each<[string, readonly string[], Given]>([
    ['as an argument', [BACKEND.replaceAll(' ', '')], {}],
    ['as several arguments', BACKEND.split(' '), {}],
    ['in capitals', [BACKEND.toUpperCase()], {}],
    ['as a bytea', [`\\x${BACKEND.replaceAll(' ', '')}`], {}],
    ['escaped one by one', [`\\x${BACKEND.replaceAll(' ', '\\x')}`], {}],
    ['as a list', [`0x${BACKEND.replaceAll(' ', ', 0x')}`], {}],
    ['with colons', [BACKEND.replaceAll(' ', ':')], {}],
    ['in braces, from stdin', [], { stdin: `{ 0x${BACKEND.replaceAll(' ', ', 0x')} };` }],
    ['with comments', ['file'], { files: { file: `# a start-up\n${BACKEND} # the end` } }],
    ['as xxd shows them', ['-'], { stdin: XXD }],
    ['as hexdump -C shows them', ['-'], { stdin: HEXDUMP }],
    ['as od -tx1 shows them', ['-'], { stdin: OD }],
    ['as they are', ['file'], { files: { file: BYTES } }],
  ])('are understood %s', async (_name, args, given) => {
    const { code, out, err } = await run(args, given)
    expect(err).toBe('')
    expect(namesIn(out)).toEqual(NAMES.map((name) => `← ${name}`))
    expect(code).toBe(0)
  })

  it('are explained one by one, and their secrets are not shown', async () => {
    const { out } = await run([BACKEND])
    expect(out).toContain('     5  00 00 00 07              processId: Int32 7\n')
    expect(out).toContain('     9  xx xx xx xx              secretKey: Byte4 ••• (redacted)\n')
    expect((await run(['--show-secrets', BACKEND])).out).toContain(
      '     9  de ad be ef              secretKey: Byte4 deadbeef\n',
    )
  })

  it('as tcpdump -X shows them come without their headers, and know who spoke', async () => {
    const { code, out, err } = await run(['-'], { stdin: TCPDUMP })
    expect(err).toBe('')
    expect(namesIn(out)).toEqual(['→ SSLRequest', '← TLS reply', '→ Query', '← ReadyForQuery'])
    expect(code).toBe(0)
  })

  it.each<[string, string]>([
    ['00000008 04d2162f', '→ SSLRequest'],
    ['58 00000004', '→ Terminate'],
    ['5a 00000005 49', '← ReadyForQuery'],
    // 'C' and 'D' are tags of both, and the fields decide.
    ['43 0000000f 494e53455254203020 3100', '← CommandComplete'],
    ['44 00000006 5300', '→ Describe'],
    ['44 00000006 0000', '← DataRow'],
    ['4e', '← TLS reply'],
    ['16 0303 0002 ffff', '→ TLS record'],
  ])('of one side only need no direction: %s', async (hex, expected) => {
    const { out, code } = await run([hex, ...(expected.includes('TLS record') ? ['--direction', 'frontend'] : [])])
    expect({ code, names: namesIn(out) }).toEqual({ code: 0, names: [expected] })
  })

  it('of either side need a direction', async () => {
    const either = await run(['6300000004'])
    expect(either).toMatchObject({ code: 3, out: '' })
    expect(either.err).toContain(
      'either side could have said this (frontend: CopyDone; backend: CopyDone): add --direction',
    )
    expect(namesIn((await run(['--direction', 'frontend', '6300000004'])).out)).toEqual(['→ CopyDone'])
    expect(namesIn((await run(['--direction', 'backend', '6300000004'])).out)).toEqual(['← CopyDone'])
  })

  it.each<[string, readonly string[], RegExp]>([
    [
      'a tag of nobody',
      ['ff 00 00 00 04'],
      /byte 0, tag: no message of a client begins with 0xff \(read as what the frontend/,
    ],
    [
      'an end in the midst',
      ['5a 00 00 00 09 49'],
      /byte 0: a message of 10 bytes begins here, and 6 bytes are left: it is not whole/,
    ],
    [
      'a length below 4',
      ['--direction', 'backend', '5a 00 00 00 03 49'],
      /byte 1, length: expected a length of 4 or more, got 3/,
    ],
    ['a field that is wrong', [`${BACKEND} 5a 00 00 00 05 50`], /byte 33, ReadyForQuery.status: expected one of/],
    ['a request without its number', ['52 00000004'], /byte 5, code: needs 4 bytes, 0 are left/],
    ['a request that nobody knows', ['52 00000008 00000063'], /byte 5, code: there is no authentication request 99/],
  ])('that are no message are shown as far as they are some: %s', async (_name, args, problem) => {
    const { code, err } = await run(args)
    expect(err).toMatch(problem)
    expect(code).toBe(4)
  })

  it('that go wrong later are shown until there', async () => {
    const { out } = await run([`${BACKEND} 5a 00 00 00 05 50`])
    expect(namesIn(out)).toEqual(NAMES.map((name) => `← ${name}`))
  })

  it('are never a defect of ours', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.constantFrom('text', 'hex', 'json', 'libpq'),
        async (bytes, format) => {
          for (const direction of ['frontend', 'backend']) {
            const hex = Buffer.from(bytes).toString('hex')
            const { code, err } = await run(['--direction', direction, '--format', format, hex])
            expect({ code, err }).not.toMatchObject({ code: 70 })
          }
        },
      ),
    )
  })
})

describe('a call that is wrong', () => {
  it.each<[readonly string[], Given, string]>([
    [[], {}, 'nothing to read: give it as an argument, name a file, or pipe it in'],
    [[], { stdin: '' }, 'there are no bytes to decode'],
    [['nowhere'], {}, "nowhere: ENOENT: no such file or directory, open 'nowhere'"],
    [['one.txt', 'two.txt'], {}, 'expected hexadecimal digits or one file, got one.txt two.txt'],
    [['-'], { stdin: '52 00\n5z' }, 'line 2, column 2: expected hexadecimal digits, got "z"'],
    [['520'], {}, 'line 1: expected pairs of hexadecimal digits, got 3 digits'],
    [['--direction', 'up', '52'], {}, '--direction: expected frontend or backend, got up'],
    [['--format', 'xml', '52'], {}, '--format: expected text, json, ndjson, hex, libpq, got xml'],
    [['--json', '--format', 'text', '52'], {}, '--json and --format text: choose one'],
    [['--libpq-version', '9', '52'], {}, '--libpq-version: expected 15 or 18, got 9'],
    [['--nonsense'], {}, "Unknown option '--nonsense'"],
    [
      ['-'],
      { stdin: '{"format":"x"}' },
      'line 1: format: expected \'pg-deadline capture\': is this a capture?, got "x"',
    ],
  ])('says what is wrong: %j', async (args, given, problem) => {
    const { code, err, out } = await run(args, given)
    expect(err).toContain(`pg-deadline decode: ${problem}`)
    expect({ code, out }).toEqual({ code: 3, out: '' })
  })

  it('is helped, in lines that fit', async () => {
    const { code, out } = await run(['--help'])
    expect(code).toBe(0)
    expect(out).toContain('Usage: pg-deadline decode')
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
  })
})

describe('a capture', () => {
  it('is decoded as it is', async () => {
    const { code, out } = await run(['file'], { files: { file: writeCapture(captureOf('scram')) } })
    expect(code).toBe(0)
    expect(namesIn(out)).toHaveLength(25)
  })

  it('with bytes that are no message is a violation of the protocol', async () => {
    const text = writeCapture(captureOf('trust')).replace(/\n$/, '\n{"ms":999,"received":"no message","hex":"ff"}\n')
    const { code, out } = await run(['-'], { stdin: text })
    expect(out).toContain('← no message, 1 byte')
    expect(code).toBe(4)
  })
})

describe('a defect of ours', () => {
  it('is told, and has a code of its own', async () => {
    const io = {
      ...fakeIo(),
      stdout: {
        write: () => {
          throw new Error('the disk is full')
        },
      },
    }
    expect(await decode([BACKEND], io)).toBe(70)
    expect(io.err()).toContain('a defect of pg-deadline')
  })
})

/** SSLRequest, 'N', then a Query in two packets, an acknowledgement in between, and the answer over IPv6. */
const TCPDUMP = [
  packet(40_000, 5432, '0000000804d2162f'),
  packet(5432, 40_000, '4e'),
  packet(40_000, 5432, '510000000d73656c'),
  packet(5432, 40_000, ''),
  packet(40_000, 5432, '656374203100'),
  packet(5432, 40_000, '5a0000000549', 6),
]
  .map((bytes) => `12:00:00.000000 IP 127.0.0.1.40000 > 127.0.0.1.5432: Flags [P.]\n${dump(bytes)}`)
  .join('\n')

function packet(source: number, destination: number, hex: string, version: 4 | 6 = 4): Buffer {
  const payload = Buffer.from(hex, 'hex')
  const tcp = Buffer.alloc(20)
  tcp.writeUInt16BE(source, 0)
  tcp.writeUInt16BE(destination, 2)
  tcp[12] = 5 << 4
  const ip = Buffer.alloc(version === 4 ? 20 : 40)
  ip[0] = version === 4 ? 0x45 : 0x60
  ip.writeUInt16BE(version === 4 ? 40 + payload.length : 20 + payload.length, version === 4 ? 2 : 4)
  ip[version === 4 ? 9 : 6] = 6
  return Buffer.concat([ip, tcp, payload])
}

function dump(bytes: Buffer): string {
  return Array.from({ length: Math.ceil(bytes.length / 16) }, (_, index) => {
    const row = bytes.subarray(16 * index, 16 * index + 16)
    const groups = row
      .toString('hex')
      .replaceAll(/(.{4})/g, '$1 ')
      .trim()
    return `\t0x${(16 * index).toString(16).padStart(4, '0')}:  ${groups.padEnd(39)}  ${row.toString('latin1').replaceAll(/[^ -~]/g, '.')}`
  }).join('\n')
}

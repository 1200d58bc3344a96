import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/cli/capture.ts'
import { isCapture, parseCapture, writeCapture } from '../../src/cli/capture-file.ts'
import { captureOf, NAMES } from './captures.ts'

const HEADER =
  '{"format":"pg-deadline capture","version":1,"server":"s","startedAtMs":null,"timeoutMs":3000,"secrets":"shown"}'

function problemOf(...lines: string[]): string {
  try {
    parseCapture(lines.join('\n'))
  } catch (error) {
    if (error instanceof InputError) return error.message
    throw error
  }
  return 'none'
}

describe('a capture', () => {
  it.each(NAMES)('can be written and read again: %s', (name) => {
    const capture = captureOf(name)
    const text = writeCapture(capture)
    expect(isCapture(text)).toBe(true)
    expect(parseCapture(text)).toEqual(capture)
    expect(writeCapture(parseCapture(text.replaceAll('\n', '\r\n')))).toBe(text)
  })

  it('keeps microseconds, and which bytes were redacted', () => {
    const [header] = [captureOf('trust').header]
    const bytes = Buffer.from('4b0000000c0000126778787878', 'hex')
    const redacted = [{ begin: 9, end: 13 }]
    const entry = { kind: 'message', atMs: 1.2345678, direction: 'received', bytes, redacted } as const
    const text = writeCapture({ header, entries: [entry] })
    expect(text.split('\n')[1]).toBe(
      '{"ms":1.235,"received":"BackendKeyData","hex":"4b0000000c0000126778787878","redacted":[[9,13]]}',
    )
    expect(parseCapture(text).entries).toEqual([{ ...entry, atMs: 1.235 }])
  })

  it('may hold bytes that are no message, and says so', () => {
    const text = `${HEADER}\n{"ms":0,"received":"no message","hex":"ff00"}`
    expect(parseCapture(text).entries).toHaveLength(1)
  })

  it.each<[string, ...string[]]>([
    ['line 1: expected a JSON object, got nothing', ''],
    ['line 1: expected a JSON object, got [1]', '[1]'],
    ['line 1: expected a JSON object, got null', 'null'],
    ["line 1: format: expected 'pg-deadline capture': is this a capture?, got nothing", '{}'],
    [
      'line 1: version: expected 1: this capture is for another version of pg-deadline, got 2',
      HEADER.replace('"version":1', '"version":2'),
    ],
    [
      'line 1: expected format, version, server, startedAtMs, timeoutMs, secrets, got more too',
      HEADER.replace('}', ',"more":1}'),
    ],
    ['line 1: server: expected a string, got 7', HEADER.replace('"s"', '7')],
    ["line 1: secrets: expected 'redacted' or 'shown', got \"some\"", HEADER.replace('"shown"', '"some"')],
    ['line 1: timeoutMs: expected a number of 0 or more, got -1', HEADER.replace('3000', '-1')],
    ['line 2: expected a JSON object, got not json', HEADER, 'not json'],
    ['line 2: expected a JSON object, got nothing', HEADER, '', '{"ms":0,"state":"Ready"}'],
    ['line 2: ms: expected a number of 0 or more, got nothing', HEADER, '{"state":"Ready"}'],
    ['line 2: expected one of attempt, state, sent, received, tls, failed and end', HEADER, '{"ms":0}'],
    ['line 2: expected ms, state, got x too', HEADER, '{"ms":0,"state":"Ready","x":1}'],
    [
      'line 3: ms: expected a time that does not go back, 2 or later, got 1',
      HEADER,
      '{"ms":2,"state":"A"}',
      '{"ms":1,"state":"B"}',
    ],
    [
      'line 2: hex: expected pairs of the digits 0 to 9 and a to f, got "5"',
      HEADER,
      '{"ms":0,"sent":"Terminate","hex":"5"}',
    ],
    [
      'line 2: hex: expected pairs of the digits 0 to 9 and a to f, got ""',
      HEADER,
      '{"ms":0,"sent":"Terminate","hex":""}',
    ],
    [
      'line 2: sent: expected \'Terminate\', which is what the bytes say, got "Query"',
      HEADER,
      '{"ms":0,"sent":"Query","hex":"5800000004"}',
    ],
    ...['7', '[[1]]', '[[0,6]]', '[[2,2]]', '[[2,3],[1,2]]', '[[0,1,2]]'].map((ranges): [string, ...string[]] => [
      `line 2: redacted: expected pairs [begin, end] in order, within 5 bytes, got ${ranges}`,
      HEADER,
      `{"ms":0,"sent":"Terminate","hex":"5800000004","redacted":${ranges}}`,
    ]),
    ['line 2: attempt: expected a number of 0 or more, got "1"', HEADER, '{"ms":0,"attempt":"1"}'],
    ['line 2: alpn: expected a string, got nothing', HEADER, '{"ms":0,"tls":"TLSv1.3","cipher":"x"}'],
    ['line 2: problem: expected a string, got null', HEADER, '{"ms":0,"failed":"Dialing","problem":null}'],
    ['line 2: expected a JSON object, got \ufffd[31m', HEADER, '\x1b[31m'],
  ])('that is not as it should be is refused: %s', (problem, ...lines) => {
    expect(problemOf(...lines)).toBe(problem)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readReport } from '../../src/protocol/response-fields.ts'

/** 'MHello' is the field M with the text Hello. */
const report = (...fields: readonly string[]) =>
  readReport({ fields: fields.map((field) => ({ code: field.charAt(0), value: field.slice(1) })) })

describe('the fields of an ErrorResponse', () => {
  it('have the meaning that the manual gives to their letters', () => {
    // #PROTOCOL-ERROR-FIELDS, in its order.
    const names = {
      S: 'localizedSeverity',
      V: 'severity',
      C: 'sqlstate',
      M: 'message',
      D: 'detail',
      H: 'hint',
      P: 'position',
      p: 'internalPosition',
      q: 'internalQuery',
      W: 'where',
      s: 'schema',
      t: 'table',
      c: 'column',
      d: 'dataType',
      n: 'constraint',
      F: 'file',
      L: 'line',
      R: 'routine',
    }
    const { fields } = report(...Object.keys(names).map((letter) => `${letter}value of ${letter}`))
    expect([...fields]).toEqual(Object.entries(names).map(([letter, name]) => [name, `value of ${letter}`]))
  })

  it('are severity, code and message first', () => {
    expect(report('SFATAL', 'VFATAL', 'C28P01', 'Mno')).toMatchObject({
      severity: 'FATAL',
      sqlstate: '28P01',
      message: 'no',
    })
  })

  it('have the severity that is not translated, wherever there is one', () => {
    expect(report('SFEHLER', 'VERROR').severity).toBe('ERROR')
    expect(report('VERROR', 'SFEHLER').severity).toBe('ERROR')
  })

  it('have only the translated severity before PostgreSQL 9.6', () => {
    expect(report('SFEHLER').severity).toBe('FEHLER')
  })

  it('may all be absent', () => {
    expect(report()).toEqual({ severity: '', sqlstate: '', message: '', fields: new Map() })
  })

  it('count once, the first time', () => {
    const twice = report('Mfirst', 'Msecond', 'VERROR', 'VPANIC')
    expect(twice.message).toBe('first')
    expect(twice.severity).toBe('ERROR')
    expect([...twice.fields.keys()]).toEqual(['message', 'severity'])
  })

  it('may have letters that nobody knows yet, and are kept under them', () => {
    const { fields } = report('Zlater', '\xffodd')
    expect(fields.get('Z')).toBe('later')
    expect(fields.get('\xff')).toBe('odd')
  })

  it('do not confuse a letter with a name of JavaScript', () => {
    expect(report('M__proto__').message).toBe('__proto__')
    expect(readReport({ fields: [{ code: '__proto__', value: 'x' }] }).fields.get('__proto__')).toBe('x')
  })

  it('have no control characters but line feeds and tabs: a server must not write to a terminal', () => {
    const controls = Array.from({ length: 0xa1 }, (_, code) => String.fromCharCode(code))
    const shown = report(`M${controls.join('')}`).message
    expect([...shown].map((character, code) => (character === controls[code] ? '' : character)).join('')).toBe(
      '\ufffd'.repeat(9 + 21 + 33),
    )
    expect(shown.slice(9, 11)).toBe('\t\n')
    expect(shown.slice(0x20, 0x7f)).toBe(controls.slice(0x20, 0x7f).join(''))
    expect(shown.at(-1)).toBe('\u00a0')
  })

  it('do not move a cursor, set a title or clear a screen', () => {
    expect(report('M\x1b[2J\x1b]0;owned\x07\x9b1mline\r\nnext\tcell').message).toBe(
      '\ufffd[2J\ufffd]0;owned\ufffd\ufffd1mline\ufffd\nnext\tcell',
    )
  })

  it('have no control characters in any of them', () => {
    const field = fc.record({
      code: fc.constantFrom(...'SVCMDHPpqWstcdnFLRZ'),
      value: fc.string({ unit: fc.integer({ min: 1, max: 0x17f }).map((code) => String.fromCharCode(code)) }),
    })
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const { severity, sqlstate, message, fields: named } = readReport({ fields })
        for (const text of [severity, sqlstate, message, ...named.values()]) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
          expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/)
        }
      }),
    )
  })

  it('are kept as they are otherwise', () => {
    const text = 'n\u00e4chste Zeile \u{1f600} "quoted" \\ back'
    expect(report(`M${text}`).message).toBe(text)
  })
})

it('a letter that nobody knows is a name, but not one that writes to a terminal', () => {
  const report = readReport({
    fields: [
      { code: '\x1b', value: 'a' },
      { code: 'Z', value: 'b\u202e' },
    ],
  })
  expect([...report.fields]).toEqual([
    ['\ufffd', 'a'],
    ['Z', 'b\ufffd'],
  ])
})

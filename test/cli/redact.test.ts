import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CaptureEntry } from '../../src/cli/capture.ts'
import { Dissector } from '../../src/cli/dissect.ts'
import { Redactor } from '../../src/cli/redact.ts'
import { AUTHENTICATION_MESSAGES } from '../../src/protocol/authentication.ts'
import { BACKEND_MESSAGES } from '../../src/protocol/backend.ts'
import { encodeMessage, type MessageLayout } from '../../src/protocol/message.ts'
import { arbitraryMessage } from '../../src/testing/arbitraries/message.ts'
import { captureOf, NAMES, secretsIn } from './captures.ts'

type Message = Extract<CaptureEntry, { kind: 'message' }>

function redactAll(entries: readonly CaptureEntry[]): CaptureEntry[] {
  const redactor = new Redactor()
  return entries.map((entry) => redactor.redact(entry))
}

function one(direction: Message['direction'], hex: string): Message {
  return { kind: 'message', atMs: 0, direction, bytes: Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'), redacted: [] }
}

describe('what is redacted', () => {
  it.each(NAMES)('of %s can still be read, message by message', (name) => {
    const { entries } = captureOf(name)
    const [before, after] = [new Dissector(), new Dissector()]
    for (const [index, entry] of redactAll(entries).entries()) {
      const original = entries[index]
      if (entry.kind !== 'message' || original?.kind !== 'message') continue
      expect(entry.bytes.length).toBe(original.bytes.length)
      expect(after.dissect(entry.direction, entry.bytes).name).toBe(
        before.dissect(original.direction, original.bytes).name,
      )
    }
  })

  it.each(NAMES)('of %s is every secret', (name) => {
    const capture = captureOf(name)
    const secrets = secretsIn(capture)
    expect(secrets.length).toBeGreaterThan(0)
    const bytes = redactAll(capture.entries).flatMap((entry) => (entry.kind === 'message' ? [entry.bytes] : []))
    const seen = bytes.map((one) => `${one.toString('latin1')} ${one.toString('hex')}`).join('\n')
    for (const secret of secrets) expect(seen).not.toContain(secret)
  })

  it('is a password, and its NUL stays', () => {
    const password = one('sent', '70 0000000b 736563726574 00')
    expect(new Redactor().redact(password)).toMatchObject({
      bytes: Buffer.from('700000000b78787878787800', 'hex'),
      redacted: [{ begin: 5, end: 11 }],
    })
  })

  it('is an MD5 answer, and that it is one stays', () => {
    const digits = Buffer.from('0123456789abcdef0123456789abcdef').toString('hex')
    expect(new Redactor().redact(one('sent', `70 00000028 6d6435 ${digits} 00`))).toMatchObject({
      redacted: [{ begin: 8, end: 40 }],
    })
  })

  it('is the key of a cancel request', () => {
    expect(new Redactor().redact(one('sent', '00000010 04d2162e 00000007 deadbeef'))).toMatchObject({
      redacted: [{ begin: 12, end: 16 }],
    })
  })

  it('is what a server says back of it', () => {
    const text = Buffer.from('no such password: secret').toString('hex')
    const length = (4 + 1 + 25 + 1).toString(16).padStart(8, '0')
    const [, , error] = redactAll([
      { kind: 'attempt', atMs: 0, attempt: 1, endpoint: 'a', encryption: 'off', sliceMs: null },
      one('sent', '70 0000000b 736563726574 00'),
      one('received', `45 ${length} 4d ${text} 00 00`),
    ])
    expect(error).toMatchObject({ redacted: [{ begin: 24, end: 30 }] })
  })

  it('is everything, if nobody can read it', () => {
    expect(new Redactor().redact(one('received', 'ff 01 02'))).toMatchObject({
      bytes: Buffer.from('xxx'),
      redacted: [{ begin: 0, end: 3 }],
    })
  })

  it('stays what it was when it is redacted again', () => {
    const once = redactAll(captureOf('scram').entries)
    expect(redactAll(once)).toEqual(once)
  })

  it('leaves the bytes that it was given as they were', () => {
    const password = one('sent', '70 0000000b 736563726574 00')
    new Redactor().redact(password)
    expect(password.bytes.toString('latin1')).toContain('secret')
  })

  it.each(
    [...BACKEND_MESSAGES, ...AUTHENTICATION_MESSAGES].map((layout): [string, MessageLayout] => [layout.name, layout]),
  )('of any %s leaves the same message', (name, layout) => {
    fc.assert(
      fc.property(arbitraryMessage(layout), (value) => {
        const redacted = new Redactor().redact(one('received', encodeMessage(layout, value).toString('hex'))) as Message
        expect(new Dissector().dissect('received', redacted.bytes).name).toBe(name)
      }),
    )
  })
})

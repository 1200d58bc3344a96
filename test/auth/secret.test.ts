import { format, inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'

const PASSWORD = 'hunter2-and-more'
const secret = new Secret(PASSWORD)
const nested = { settings: { password: secret, list: [secret] }, map: new Map([['password', secret]]) }

describe('a secret', () => {
  it('is read by name', () => {
    expect(secret.reveal()).toBe(PASSWORD)
  })

  it('is not shown by String() or toString()', () => {
    expect(String(secret)).toBe('[secret]')
    expect(secret.toString()).toBe('[secret]')
  })

  it('is not shown by a template literal or by concatenation', () => {
    expect(`password=${secret}`).toBe('password=[secret]')
    expect(['password=', secret].join('')).toBe('password=[secret]')
  })

  it('is not shown by JSON, however deep it lies', () => {
    expect(JSON.stringify(secret)).toBe('"[secret]"')
    expect(JSON.stringify(nested)).not.toContain(PASSWORD)
  })

  it('is not shown by util.inspect, however deep it lies', () => {
    expect(inspect(secret)).toBe('[secret]')
    expect(inspect(nested, { depth: null, showHidden: true })).not.toContain(PASSWORD)
  })

  it('is not shown by util.inspect even where custom inspection is off', () => {
    expect(inspect(nested, { depth: null, showHidden: true, customInspect: false })).not.toContain(PASSWORD)
  })

  it('is not shown by the placeholders of console.log', () => {
    expect(format('%s %o %O %j', secret, secret, secret, secret)).not.toContain(PASSWORD)
    expect(format(secret, nested)).not.toContain(PASSWORD)
  })

  it('is not shown by an error that carries it', () => {
    expect(inspect(new Error('login failed', { cause: nested }), { depth: null })).not.toContain(PASSWORD)
  })

  it('has no property in which to find it', () => {
    expect(Reflect.ownKeys(secret)).toEqual([])
    expect({ ...secret }).toEqual({})
    expect(inspect(structuredClone(secret))).not.toContain(PASSWORD)
  })

  it('comes back exactly, whatever the string', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => new Secret(text).reveal() === text))
  })
})

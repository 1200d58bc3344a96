import { describe, expect, it } from 'vitest'
import { chooseMechanism } from '../../src/auth/choose.ts'
import { failureOf } from './failure-of.ts'

describe('the choice of a SASL mechanism', () => {
  it('falls on SCRAM-SHA-256 wherever it stands in the list', () => {
    expect(chooseMechanism(['SCRAM-SHA-256'])).toBe('SCRAM-SHA-256')
    expect(chooseMechanism(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'])).toBe('SCRAM-SHA-256')
    expect(chooseMechanism(['OAUTHBEARER', 'SCRAM-SHA-256'])).toBe('SCRAM-SHA-256')
  })

  it('finds nothing in common with a server that insists on channel binding', () => {
    expect(failureOf(() => chooseMechanism(['SCRAM-SHA-256-PLUS']))).toEqual({
      kind: 'incompatible',
      what: 'SASL mechanism',
      offered: ['SCRAM-SHA-256-PLUS'],
      supported: ['SCRAM-SHA-256'],
    })
  })

  it('finds nothing in common with a server that offers nothing', () => {
    expect(failureOf(() => chooseMechanism([]))).toMatchObject({ kind: 'incompatible', offered: [] })
  })

  it('does not take a name in other letters for the mechanism', () => {
    expect(failureOf(() => chooseMechanism(['scram-sha-256', 'SCRAM-SHA-2560', 'SCRAM-SHA-1']))).toMatchObject({
      kind: 'incompatible',
    })
  })

  it('does not pass on a name that is no mechanism name', () => {
    const failure = failureOf(() => chooseMechanism(['GSSAPI', '\u001b[2J', 'A'.repeat(21), '']))
    const stranger = '(not a mechanism name)'
    expect(failure).toMatchObject({ offered: ['GSSAPI', stranger, stranger, stranger] })
  })
})

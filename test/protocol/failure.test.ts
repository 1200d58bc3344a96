import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/protocol/failure.ts'

describe('a fault', () => {
  it('carries its failure as data, and says no more than its kind', () => {
    const failure = { kind: 'policy', what: 'a password in the clear', advice: 'use TLS' } as const
    const fault = new Fault(failure)
    expect(fault).toBeInstanceOf(Error)
    expect(fault.name).toBe('Fault')
    expect(fault.message).toBe('policy')
    expect(fault.failure).toBe(failure)
    expect('cause' in fault).toBe(false)
  })

  it('keeps what caused it', () => {
    const cause = new Error('read ECONNRESET')
    expect(new Fault({ kind: 'lost', code: 'ECONNRESET', detail: '' }, { cause }).cause).toBe(cause)
  })
})

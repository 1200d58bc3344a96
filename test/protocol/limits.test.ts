import { describe, expect, it } from 'vitest'
import { bodyBytesMax, LIMITS } from '../../src/protocol/limits.ts'

const TAGS = [...'ACDEGHIKNRSTWZcdv']

describe('the body of a message', () => {
  it.each(['startup', 'session'] as const)(
    'has 2,000 bytes at most if it is about authentication or the version (%s)',
    (phase) => {
      expect(TAGS.filter((tag) => bodyBytesMax(tag, phase) === 2_000)).toEqual(['R', 'v'])
    },
  )

  it('has 30,000 bytes at most before ReadyForQuery if it is any other', () => {
    expect(TAGS.filter((tag) => bodyBytesMax(tag, 'startup') === 30_000).join('')).toBe('ACDEGHIKNSTWZcd')
  })

  it('has as many bytes at most as PostgreSQL can allocate after ReadyForQuery, where libpq lets it be long', () => {
    expect(TAGS.filter((tag) => bodyBytesMax(tag, 'session') === 2 ** 30 - 1).join('')).toBe('ADENTd')
    expect(TAGS.filter((tag) => bodyBytesMax(tag, 'session') === 30_000).join('')).toBe('CGHIKSWZc')
  })
})

describe('a limit', () => {
  it('is the number that its precedent has', () => {
    expect(LIMITS).toEqual({
      authenticationBodyBytesMax: 2_000,
      bodyBytesMax: 30_000,
      longBodyBytesMax: 1_073_741_823,
      stringBytesMax: 536_870_888,
      tlsHandshakeBytesMax: 262_144,
      tlsOverheadBytesMax: 262_144,
      startupNoticesMax: 64,
      startupNotificationsMax: 64,
      noticesKeptMax: 1_000,
      parametersMax: 512,
      startupParametersLengthMax: 64_000,
      hostsMax: 64,
      startupMessageBytesMax: 10_000,
      scramIterationsMax: 100_000,
      addressesMax: 48,
      dialsAtOnceMax: 8,
      configurationFileBytesMax: 1_048_576,
      cancelKeyBytes30: 4,
      cancelKeyBytesMin32: 4,
      cancelKeyBytesMax32: 256,
    })
  })
})

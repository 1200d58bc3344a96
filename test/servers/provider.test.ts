/** The choice of a provider, with providers that only say whether they could. */
import { describe, expect, it } from 'vitest'
import { chooseProvider, type Provider, type ProviderName } from './provider.ts'

function provider(name: ProviderName, reason: string | null): Provider {
  return { name, unavailable: async () => reason, start: () => Promise.reject(new Error('not started here')) }
}

const NONE = [
  provider('url', 'PG_DEADLINE_SERVER_URL is not set'),
  provider('embedded', 'npm could not fetch it'),
  provider('testcontainers', 'no container runtime answers'),
  provider('local', 'no initdb'),
]

describe('the choice of a provider', () => {
  it('falls on the first that can', async () => {
    const providers = [NONE[0], provider('embedded', null), provider('local', null)].filter((p) => p !== undefined)
    expect((await chooseProvider({}, providers, {})).name).toBe('embedded')
  })

  it('falls on the one that the environment forces, even if an earlier one could', async () => {
    const providers = [provider('embedded', null), provider('local', null)]
    expect((await chooseProvider({ PG_DEADLINE_PROVIDER: 'local' }, providers, {})).name).toBe('local')
  })

  it('does not fall back from a forced one that cannot', async () => {
    const providers = [provider('embedded', 'npm could not fetch it'), provider('local', null)]
    const choice = chooseProvider({ PG_DEADLINE_PROVIDER: 'embedded' }, providers, {})
    await expect(choice).rejects.toThrow(/embedded: npm could not fetch it$/)
  })

  it('without any names each one, why it cannot, and the version asked for', async () => {
    const choice = chooseProvider({}, NONE, { version: '17' })
    await expect(choice).rejects.toThrow(
      'no PostgreSQL 17 can be had from any provider:\n' +
        '  url: PG_DEADLINE_SERVER_URL is not set\n' +
        '  embedded: npm could not fetch it\n' +
        '  testcontainers: no container runtime answers\n' +
        '  local: no initdb',
    )
  })

  it('refuses a provider that there is not', async () => {
    await expect(chooseProvider({ PG_DEADLINE_PROVIDER: 'cloud' }, NONE, {})).rejects.toThrow(
      'PG_DEADLINE_PROVIDER is "cloud", which is none of url, embedded, testcontainers, local',
    )
  })
})

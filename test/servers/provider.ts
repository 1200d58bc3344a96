/**
 * Chooses where a server comes from. `PG_DEADLINE_PROVIDER` forces one; otherwise the first of these that can:
 *
 *   url             an existing server, if `PG_DEADLINE_SERVER_URL` names it
 *   embedded        PostgreSQL from npm
 *   testcontainers  a container, if a container runtime answers
 *   local           the PostgreSQL that is installed on this machine
 *
 * There is no fifth, "skip": where no server can be had, the test fails and says what to do.
 */
import { container } from './container.ts'
import { embedded } from './embedded.ts'
import { local } from './local.ts'
import type { ServerOptions, TestServer } from './server.ts'
import { url } from './url.ts'

export type ProviderName = 'url' | 'embedded' | 'testcontainers' | 'local'

export interface Provider {
  readonly name: ProviderName
  /** Null if it can start such a server, else why it cannot and what to do about it. */
  unavailable(options: ServerOptions): Promise<string | null>
  start(options: ServerOptions): Promise<TestServer>
}

/** In the order in which they are asked. */
export const PROVIDERS: readonly Provider[] = [url, embedded, container, local]

export async function chooseProvider(
  environment: { readonly PG_DEADLINE_PROVIDER?: string | undefined },
  providers: readonly Provider[],
  options: ServerOptions,
): Promise<Provider> {
  const forced = environment.PG_DEADLINE_PROVIDER
  const candidates = forced ? providers.filter(({ name }) => name === forced) : providers
  if (candidates.length === 0) {
    const names = providers.map(({ name }) => name).join(', ')
    throw new Error(`PG_DEADLINE_PROVIDER is ${JSON.stringify(forced)}, which is none of ${names}`)
  }
  const reasons: string[] = []
  for (const provider of candidates) {
    const reason = await provider.unavailable(options)
    if (reason === null) return provider
    reasons.push(`  ${provider.name}: ${reason}`)
  }
  const what = `PostgreSQL${options.version === undefined ? '' : ` ${options.version}`}`
  const whence = forced ? `the provider that PG_DEADLINE_PROVIDER asks for` : 'any provider'
  throw new Error(`no ${what} can be had from ${whence}:\n${reasons.join('\n')}`)
}

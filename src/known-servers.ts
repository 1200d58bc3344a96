/**
 * What servers were met to choose, for those who ask for it to be remembered (remember_servers): the next connect to the same
 * one may begin SCRAM without waiting to be asked. In memory, bounded, and nothing secret: the name of a mechanism.
 */
import type { ScramMechanism } from './auth/scram.ts'

export interface KnownServers {
  /** What it chose when it was last met; null: it is not known. */
  recall(server: string): ScramMechanism | null
  /** null: forget it. */
  remember(server: string, mechanism: ScramMechanism | null): void
}

/** Some 100 bytes each. A process rarely speaks to as many servers, as so many users. */
const ENTRIES_MAX = 256

export function createKnownServers(entriesMax: number = ENTRIES_MAX): KnownServers {
  /** From the least to the most recently met: a Map keeps the order in which its entries were set. */
  const known = new Map<string, ScramMechanism>()
  return {
    recall: (server) => known.get(server) ?? null,
    remember(server, mechanism) {
      known.delete(server)
      if (mechanism === null) return
      known.set(server, mechanism)
      const [oldest] = known.keys()
      if (known.size > entriesMax && oldest !== undefined) known.delete(oldest)
    },
  }
}

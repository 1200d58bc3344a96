/**
 * What servers were met to choose, for those who ask for it to be remembered (remember_servers): the next connect to the same
 * one may begin SCRAM without waiting to be asked. In memory, bounded, and nothing secret: the name of a mechanism.
 */
import type { ScramMechanism } from './auth/scram.ts'
import { Recent } from './net/recent.ts'

/** 'waits': it, or something in front of it, does not cope with a message that it has not asked for. */
export type Known = ScramMechanism | 'waits'

export interface KnownServers {
  /** What was learnt when it was last met; null: nothing. */
  recall(server: string): Known | null
  /** null: forget it. */
  remember(server: string, known: Known | null): void
}

/** Some 100 bytes each. A process rarely speaks to as many servers, as so many users. */
const ENTRIES_MAX = 256

export function createKnownServers(entriesMax: number = ENTRIES_MAX): KnownServers {
  const all = new Recent<Known>(entriesMax)
  return {
    recall: (server) => all.get(server) ?? null,
    remember(server, known) {
      if (known === null) all.delete(server)
      else all.set(server, known)
    },
  }
}

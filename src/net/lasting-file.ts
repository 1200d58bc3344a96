/**
 * Files that a connect needs and that hardly ever change, such as certificates. A renewed one counts at the next connect, but to
 * open, read and close a file are errands for libuv's threads that cost more than all of SCRAM: what `stat` says is as it was is
 * not read again.
 *
 * The clock of a file system moves in ticks, which may be 2 s long (FAT): what is written twice in one tick looks as if it had
 * been written once. So bytes are kept only if the file had been the same for longer than that when they were read. And never if
 * there is a private key among them.
 *
 * A network file system may answer `stat` from its memory: then a renewed file counts when that has run out (NFS: a minute).
 */
import { type BigIntStats, promises as files } from 'node:fs'
import { type Clock, monotonicClock } from './deadline.ts'
import { Recent } from './recent.ts'

const SETTLED_MS = 3_000

/** A process rarely names more. */
const FILES_MAX = 16

/** Every public authority there is takes some 200 KB. */
const BYTES_MAX = 2 ** 20

/** The bytes of a file of which `stats` were just taken, with `bigint`. Rejects as readFile does. */
export type ReadLasting = (path: string, stats: BigIntStats, signal: AbortSignal) => Promise<Buffer>

interface Known {
  readonly identity: string
  readonly firstSeenMs: number
  /** null: it may still have been written when it was read. */
  bytes: Buffer | null
}

export function createLastingFiles(clock: Clock = monotonicClock): ReadLasting {
  const all = new Recent<Known>(FILES_MAX)
  return async (path, stats, signal) => {
    const known = recall(path, identityOf(stats))
    if (known.bytes !== null) return known.bytes
    const isSettled = clock.now() - known.firstSeenMs >= SETTLED_MS
    const bytes = await files.readFile(path, { signal })
    if (isSettled && bytes.length <= BYTES_MAX && !bytes.includes('PRIVATE KEY')) known.bytes = bytes
    return bytes
  }

  function recall(path: string, identity: string): Known {
    const known = all.get(path)
    if (known?.identity === identity) return known
    const fresh = { identity, firstSeenMs: clock.now(), bytes: null }
    all.set(path, fresh)
    return fresh
  }
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}

/** The one for the whole process. */
export const readLasting: ReadLasting = createLastingFiles()

/**
 * A name lookup that stalls, without a packet that leaves this machine: a name server on loopback that never answers, and
 * a mount namespace in which /etc/resolv.conf names it and nothing else. Needs root, and Linux.
 */
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Loopback, but nobody's resolver. */
const ADDRESS = '127.53.53.53'

export const UNRESOLVABLE = 'db.stall.example'

export class SilentResolver implements AsyncDisposable {
  readonly #directory: string
  readonly #close: () => Promise<void>

  private constructor(directory: string, close: () => Promise<void>) {
    this.#directory = directory
    this.#close = close
  }

  /** null where it cannot be had. */
  static async open(): Promise<SilentResolver | null> {
    const socket = createSocket('udp4')
    const isBound = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false))
      socket.bind(53, ADDRESS, () => resolve(true))
    })
    const directory = mkdtempSync(join(tmpdir(), 'stalls-'))
    writeFileSync(join(directory, 'resolv.conf'), `nameserver ${ADDRESS}\n`)
    const close = () => new Promise<void>((resolve) => (isBound ? socket.close(() => resolve()) : resolve()))
    const resolver = new SilentResolver(directory, close)
    const [command, ...rest] = resolver.wrap(['true'])
    if (isBound && spawnSync(command ?? '', rest).status === 0) return resolver
    await resolver[Symbol.asyncDispose]()
    return null
  }

  /** The same command, where this is the only name server. */
  wrap(command: readonly string[]): readonly string[] {
    const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return ['unshare', '--mount', 'sh', '-c', script, join(this.#directory, 'resolv.conf'), ...command]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true })
    await this.#close()
  }
}

/** A runtime for connectWith in which everything is under control: time, network, randomness, key derivation. */
import { pbkdf2Sync } from 'node:crypto'
import { scramKeys } from '../../src/auth/scram.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { connectWith, type Runtime } from '../../src/connect.ts'
import type { DeriveKeys } from '../../src/net/kdf.ts'
import type { Session } from '../../src/session.ts'
import type { WaitOptions } from '../../src/wait-options.ts'
import type { ScriptedServer } from './scripted-server.ts'
import { VirtualClock } from './virtual-clock.ts'

const deriveKeys: DeriveKeys = async ({ password, salt, iterations }) =>
  scramKeys(pbkdf2Sync(password.reveal(), salt, iterations, 32, 'sha256'))

export interface World {
  readonly clock: VirtualClock
  connect(options?: WaitOptions, target?: string | ConnectTarget): Promise<Session>
}

export function worldOf(server: ScriptedServer, changes: Partial<Runtime> = {}): World {
  const clock = new VirtualClock()
  const runtime: Runtime = {
    clock,
    dial: server.dial,
    deriveKeys,
    randomBytes: (lengthBytes) => Buffer.alloc(lengthBytes, 42),
    ...changes,
  }
  return {
    clock,
    connect: (
      options = {},
      target = 'postgres://alice:secret@db.example/app?allow_cleartext_password=true&sslmode=disable',
    ) => connectWith(runtime, target, options),
  }
}

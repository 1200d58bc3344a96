/** A runtime for connectWith in which everything is under control: time, network, randomness, key derivation. */
import { pbkdf2Sync } from 'node:crypto'
import type { Runtime } from '../../src/attempt.ts'
import { scramKeys } from '../../src/auth/scram.ts'
import type { ConnectTarget } from '../../src/config/target.ts'
import { type Connecting, connectWith } from '../../src/connect.ts'
import { createKnownServers } from '../../src/known-servers.ts'
import type { DeriveKeys } from '../../src/net/kdf.ts'
import type { ConnectOptions } from '../../src/wait-options.ts'
import type { ScriptedServer } from './scripted-server.ts'
import { VirtualClock } from './virtual-clock.ts'

const deriveKeys: DeriveKeys = async ({ password, salt, iterations }) =>
  scramKeys(pbkdf2Sync(password.reveal(), salt, iterations, 32, 'sha256'))

export interface World {
  readonly clock: VirtualClock
  connect(options?: ConnectOptions, target?: string | ConnectTarget): Connecting
}

/** One server, and a clock that stands still. */
export function runtimeOf(server: ScriptedServer): Runtime {
  return {
    clock: new VirtualClock(),
    resolveHost: async () => [{ address: '192.0.2.1', family: 4 }],
    dial: server.dial,
    deriveKeys,
    randomBytes: (lengthBytes) => Buffer.alloc(lengthBytes, 42),
    knownServers: createKnownServers(),
  }
}

export function worldOf(server: ScriptedServer, changes: Partial<Runtime> = {}): World {
  const clock = new VirtualClock()
  const runtime = { ...runtimeOf(server), clock, ...changes }
  return {
    clock,
    connect: (
      options = {},
      target = 'postgres://alice:secret@db.example/app?allow_cleartext_password=true&sslmode=disable',
    ) => connectWith(runtime, target, options),
  }
}

/** A command's world in memory: what it prints is kept, time and network are a test's. */
import { expect } from 'vitest'
import type { Runtime } from '../../src/attempt.ts'
import type { NetworkIo } from '../../src/cli/network.ts'
import { lawful, ScriptedServer } from '../support/scripted-server.ts'
import { settle, type VirtualClock } from '../support/virtual-clock.ts'
import { runtimeOf } from '../support/world.ts'

export interface World {
  readonly io: NetworkIo
  readonly out: () => string
  readonly err: () => string
  readonly files: Map<string, string>
  /** Ctrl-C. */
  readonly interrupt: () => void
}

export function networkIo(runtime: Runtime, changes: Partial<NetworkIo> = {}): World {
  const out: string[] = []
  const err: string[] = []
  const files = new Map<string, string>()
  const controller = new AbortController()
  const io: NetworkIo = {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    stdin: (async function* () {})(),
    stdinIsTerminal: false,
    env: { PGUSER: 'alice', PGPASSWORD: 'secret' },
    isTerminal: false,
    columns: undefined,
    signal: controller.signal,
    readFile: async () => Buffer.alloc(0),
    writeFile: async (path, text) => {
      files.set(path, text)
    },
    runtime,
    wallClock: () => Date.UTC(2026, 10, 28, 12),
    ...changes,
  }
  return {
    io,
    out: () => out.join(''),
    err: () => err.join(''),
    files,
    interrupt: () => controller.abort(new DOMException('Ctrl-C', 'AbortError')),
  }
}

/** With one server, on a clock that stands still. */
export function worldWith(server: ScriptedServer, changes: Partial<NetworkIo> = {}): World {
  return networkIo(runtimeOf(server), changes)
}

/** A command that has what it wanted does not wait for long for a server that does not heed Terminate. */
export async function expectLeft(
  command: (args: readonly string[], io: NetworkIo) => Promise<number>,
  args: readonly string[],
  end: 'after a second' | 'at Ctrl-C',
): Promise<void> {
  const honest = lawful({ method: 'trust' })
  const server = new ScriptedServer((self, message) => {
    if (message.type !== 'Terminate') honest.answer(self, message)
  })
  const { io, interrupt } = worldWith(server)
  const running = command(args, io)
  await settle()
  expect(server.names).toContain('Terminate')
  expect(server.destroyed).toBe(false)
  if (end === 'after a second') (io.runtime.clock as VirtualClock).advance(1_000)
  else interrupt()
  expect(await running).toBe(0)
  expect(server.destroyed).toBe(true)
}

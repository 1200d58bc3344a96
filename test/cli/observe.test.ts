import { describe, expect, it } from 'vitest'
import type { CaptureEntry } from '../../src/cli/capture.ts'
import { observeInto } from '../../src/cli/observe.ts'
import { lawful, type Profile } from '../support/scripted-server.ts'
import { worldOf } from '../support/world.ts'

async function watch(profile: Profile, target?: string) {
  const server = lawful(profile)
  const entries: CaptureEntry[] = []
  const world = worldOf(server, { observe: observeInto((entry) => entries.push(entry)) })
  const outcome = await world.connect({ timeoutMs: 3_000 }, target).catch((error: unknown) => error)
  return { entries, outcome, server }
}

/** States, and messages with an arrow. */
function told(entries: readonly CaptureEntry[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.kind === 'message') return [`${entry.direction === 'sent' ? '→' : '←'} ${entry.bytes.length}`]
    return entry.kind === 'state' ? [entry.state] : [entry.kind]
  })
}

describe('a connect that is observed', () => {
  it('becomes a capture: attempt, states, messages with their bytes, and its end', async () => {
    const { entries, server } = await watch({ method: 'trust' })
    expect(told(entries)).toEqual([
      ...['attempt', 'Disconnected', 'ResolvingHost', 'Dialing', 'Connected', 'AwaitingAuthentication'],
      ...['→ 54', '← 9', 'AwaitingReady', '← 25', '← 29', '← 13', '← 6', 'CheckingSession', 'Ready', 'end'],
    ])
    expect(entries[0]).toMatchObject({ attempt: 1, endpoint: 'db.example:5432', encryption: 'off', sliceMs: 3_000 })
    expect(entries.at(-1)).toMatchObject({ kind: 'end', state: 'Ready', problem: null })
    expect(server.names).toEqual(['StartupMessage'])
  })

  it('that fails says where and why, of the attempt and of the whole', async () => {
    const { entries, outcome } = await watch({ password: 'another' })
    expect(told(entries).slice(-3)).toEqual(['← 52', 'failed', 'end'])
    const problem = (outcome as Error).message
    expect(entries.slice(-2)).toMatchObject([
      { state: 'AwaitingSaslOutcome', problem },
      { state: 'AwaitingSaslOutcome', problem },
    ])
  })

  it('that cannot begin has an end and nothing else', async () => {
    const { entries } = await watch({}, 'postgres://alice@db.example/app?sslmode=nonsense')
    expect(told(entries)).toEqual(['end'])
    expect(entries[0]).toMatchObject({ state: 'Disconnected', problem: expect.stringContaining('sslmode') })
  })
})

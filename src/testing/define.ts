/** How the files of attacks/ write an attack down: what they have in common is said once. */
import type { FailureKind } from '../protocol/failure.ts'
import { approach, approachTrusted, SENT, type Waiting } from './approach.ts'
import type { Attack, Requirement, Theme } from './attack.ts'
import type { Peer, Script } from './peer.ts'

interface Details {
  readonly target?: Readonly<Record<string, string>>
  readonly transport?: 'tcp' | 'unix'
  readonly sent?: readonly string[]
  readonly withheld?: string
}

/** An attack that a client must answer at once, by what the server did. */
export function attack(
  id: `${Theme}/${string}`,
  title: string,
  requirement: Requirement,
  script: Script,
  [kind, phase]: readonly [kind: FailureKind, phase: string],
  { target = {}, transport = 'tcp', sent = sentUntil(phase), withheld }: Details = {},
): Attack {
  return {
    id,
    title,
    requirement,
    target,
    transport,
    script,
    verdict: { kind, phase, when: 'at once' },
    sent,
    withheld: withheld ?? null,
  }
}

/** An attack that nothing but the deadline can end. */
export function stall(
  id: `${Theme}/${string}`,
  title: string,
  requirement: Requirement,
  script: Script,
  phase: string,
  details: Details = {},
): Attack {
  const attacked = attack(id, title, requirement, script, ['deadline', phase], details)
  return { ...attacked, verdict: { ...attacked.verdict, when: 'deadline' } }
}

/** An honest approach to a state, and then these bytes. */
export function bytesIn(state: Waiting, ...bytes: (Buffer | string)[]): Script {
  return async (peer: Peer) => {
    await approach(peer, state)
    await peer.sendBytes(...bytes)
  }
}

/** A server that asks for no password, and then these bytes: the shortest way to AwaitingReady. */
export function bytesBehindOk(...bytes: (Buffer | string)[]): Script {
  return async (peer: Peer) => {
    await approachTrusted(peer)
    await peer.sendBytes(...bytes)
  }
}

function sentUntil(phase: string): readonly string[] {
  return Object.hasOwn(SENT, phase) ? SENT[phase as Waiting] : ['StartupMessage']
}

/** 'AuthenticationSASLContinue' as part of an id: 'authentication-sasl-continue'. */
export function kebab(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
}

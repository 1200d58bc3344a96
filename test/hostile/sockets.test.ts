/** Every attack of the catalogue on real sockets: how the connect ends, where, when, and what it leaves behind. */
import { afterAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/connect.ts'
import { ATTACKS, type Attack, HostileServer } from '../../src/testing/index.ts'
import { failureOf } from './failure.ts'
import { everyFaceOf, secretsOnTheWire, secretsShown, textsForTheTerminal } from './secrets.ts'
import { targetOf, writeAuthority } from './target.ts'

/** Well above what 'at once' may take: if the timer ended such an attack, it would show. */
const GENEROUS_MS = 5_000
const AT_ONCE_MS = 1_000
const STALL_MS = 400

const { file: authorityFile, remove } = writeAuthority()
afterAll(remove)

describe('the catalogue', () => {
  it('has at least 150 attacks, each with an id of its own', () => {
    expect(ATTACKS.length).toBeGreaterThanOrEqual(150)
    expect(new Set(ATTACKS.map(({ id }) => id)).size).toBe(ATTACKS.length)
    for (const { id } of ATTACKS) expect(id).toMatch(/^[a-z]+\/[a-z0-9-]+$/)
  })
})

/** Servers that send without end live in this process too: while one does, nobody's time is measured but its own client's. */
const FLOODS = ATTACKS.filter(({ id }) => id.includes('flood'))

describe.concurrent('on a real socket', () => {
  for (const attack of ATTACKS) if (!FLOODS.includes(attack)) define(attack)
})

describe('on a real socket, one at a time', () => {
  for (const attack of FLOODS) define(attack)
})

function define(attack: Attack): void {
  it(`${attack.id}: a server that ${attack.title}`, () => survive(attack))
}

async function survive(attack: Attack): Promise<void> {
  const { verdict, script, transport, sent, withheld } = attack
  await using server = await HostileServer.listen(script, { transport })
  const timeoutMs = verdict.when === 'at once' ? GENEROUS_MS : STALL_MS
  const startedMs = performance.now()
  const error = await failureOf(connect(server.url(targetOf(attack, authorityFile)), { timeoutMs }))
  const elapsedMs = performance.now() - startedMs

  expect({ kind: error.failure.kind, phase: error.phase }).toEqual({ kind: verdict.kind, phase: verdict.phase })
  if (verdict.when === 'at once') expect(elapsedMs).toBeLessThan(AT_ONCE_MS)
  else {
    expect(elapsedMs).toBeGreaterThanOrEqual(STALL_MS)
    expect(elapsedMs).toBeLessThan(STALL_MS + 500)
  }

  await server.settled()
  const { visits } = server
  expect(visits.flatMap(({ messages }) => messages)).toEqual(sent)
  for (const visit of visits) {
    expect(visit.defect).toBeNull()
    expect(visit.isClosed).toBe(true)
    expect(secretsOnTheWire(visit)).toEqual([])
    expect(secretsShown(error, visit)).toEqual([])
  }
  expect(textsForTheTerminal(error)).toEqual([])
  if (withheld !== null) expect(everyFaceOf(error)).not.toContain(withheld)
}

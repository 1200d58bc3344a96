/** One URI and one server: we, pg, postgres.js and libpq come to the same end, or the difference is on the list. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DIFFERENCES, type Errand } from './differences.ts'
import { compare, findListed, fuzzDifferences, PSQL_MISSING, type Servers } from './differential.ts'
import { FuzzServer } from './fuzz-server.ts'
import { fuzzOptions } from './seed.ts'

const RUNS = 60

const PLAIN: Errand = {
  ...{ method: 'scram-sha-256', password: 'right', database: 'postgres', sslmode: 'disable' },
  ...{ authority: 'ours', host: 'localhost', server: 'with TLS' },
}

let servers: Servers

beforeAll(async () => {
  const [withTls, withoutTls] = await Promise.all([FuzzServer.start(), FuzzServer.start({ tls: false })])
  servers = { 'with TLS': withTls, 'without TLS': withoutTls }
})

afterAll(async () => {
  for (const server of Object.values(servers ?? {})) await server[Symbol.asyncDispose]()
})

it('differential-01: for one URI and one server, other clients come to the same end as we do, but for what is listed', async () => {
  const endings = await fuzzDifferences(servers, fuzzOptions(RUNS))
  // Otherwise nothing was tried.
  expect(endings.get('connected')).toBeGreaterThan(0)
  expect(endings.size).toBeGreaterThan(3)
}, 120_000)

it('differential-02: every difference that is listed has a reason, and is still there', async () => {
  const gone: string[] = []
  for (const difference of DIFFERENCES) {
    const { peer, reason } = difference
    expect(reason).toMatch(/^.{40,}\.$/)
    if (peer === 'libpq' && PSQL_MISSING !== null) continue
    const errand = { ...PLAIN, ...difference.example }
    const { ours, theirs } = await compare(servers[errand.server], errand)
    const ending = theirs.get(peer) ?? 'lost'
    if (ending === ours || findListed(peer, errand, ours, ending) !== difference) {
      gone.push(`we: ${ours}; ${peer}: ${ending}; no longer so: ${reason}`)
    }
  }
  expect(gone).toEqual([])
}, 60_000)

it('libpq is asked as well', ({ skip }) => {
  if (PSQL_MISSING !== null) skip(PSQL_MISSING)
  expect(PSQL_MISSING).toBeNull()
})

it('a difference that is not on the list is told', () => {
  expect(findListed('libpq', PLAIN, 'refused 28P01', 'connected')).toBeUndefined()
  expect(findListed('pg', { ...PLAIN, password: 'none' }, 'config', 'refused 28P01')).toBeDefined()
  expect(findListed('libpq', { ...PLAIN, password: 'none' }, 'config', 'refused 28P01')).toBeUndefined()
})

/** The examples do what their page says, and what they find is what was reviewed: examples/differences.ts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DIFFERENCES } from '../../examples/differences.ts'
import { PG_PROPERTIES, pg } from '../../examples/pg.ts'
import { PGLITE_PROPERTIES, Pglite } from '../../examples/pglite.ts'
import {
  examineClient,
  examineServer,
  HostileServer,
  honestLogin,
  PASSWORD,
  type Report,
} from '../../src/testing/index.ts'

const START_LIMIT_MS = 200_000
const LIMIT_MS = 200_000

/** With the seed of the report, so that what fails can be seen again. */
function brokenIn({ seed, properties }: Report) {
  const broken = properties.filter(({ verdict }) => verdict === 'broken')
  return {
    seed,
    broken: broken.map(({ id }) => id).sort(),
    first: broken.flatMap(({ violations }) => violations).slice(0, 5),
  }
}

function expectedOf(subject: 'pg' | 'pglite'): string[] {
  return DIFFERENCES.filter((one) => one.subject === subject)
    .map(({ property }) => property)
    .sort()
}

describe('the example with pg', () => {
  it('finds what was reviewed, and nothing else', { timeout: LIMIT_MS }, async () => {
    await using server = await HostileServer.listen(honestLogin)
    const address = { host: server.host, port: server.port, user: 'alice', password: PASSWORD, database: 'app' }
    const terms = { timeoutMs: 400, slackMs: 3_000, runs: 5, properties: PG_PROPERTIES }
    const report = await examineClient(pg, { name: 'an honest server', address }, terms)
    expect(brokenIn(report)).toMatchObject({ broken: expectedOf('pg') })
    expect(report.properties.filter(({ verdict }) => verdict === 'untried').map(({ id }) => id)).toEqual([
      'client/abort',
    ])
  })
})

describe('the example with PGlite', () => {
  let server: Pglite
  beforeAll(async () => {
    server = await Pglite.start()
  }, START_LIMIT_MS)
  afterAll(() => server?.[Symbol.asyncDispose]())

  it('finds what was reviewed, and nothing else', { timeout: LIMIT_MS }, async () => {
    const report = await examineServer(server, { patienceMs: 5_000, runs: 5, properties: PGLITE_PROPERTIES })
    expect(brokenIn(report)).toMatchObject({ broken: expectedOf('pglite') })
    expect(report.properties.length).toBeGreaterThan(expectedOf('pglite').length)
  })
})

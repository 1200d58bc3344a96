/** Thousands of connects over a path that harms them, to a real server: every one on time, typed, and gone. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectNoMoreThan, openResources } from '../net/resources.ts'
import { FuzzServer } from './fuzz-server.ts'
import {
  arbitraryHarmedTrial,
  arbitraryPatientTrial,
  disagreements,
  fuzzHandshakes,
  type Outcome,
  tally,
} from './handshakes.ts'
import { fuzzOptions, HANDSHAKES } from './seed.ts'

let server: FuzzServer
const outcomes: Outcome[] = []

beforeAll(async () => {
  server = await FuzzServer.start()
})

afterAll(() => server?.[Symbol.asyncDispose]())

it('live-01: whatever a path does to the bytes, connect() settles on time, Ready or in a typed failure, and nothing is left', async () => {
  const options = fuzzOptions(HANDSHAKES.harmed)
  await expect.poll(() => server.countBackends()).toBe(0)
  const before = openResources()
  const began = performance.now()
  outcomes.push(...(await fuzzHandshakes(server, options, arbitraryHarmedTrial)))
  const seconds = (performance.now() - began) / 1_000
  // First of all: whatever fails below is looked for from this seed.
  const endings = tally(outcomes)
  process.stderr.write(
    `${outcomes.length} fuzzed handshakes, seed ${options.seed}: ${Math.round(outcomes.length / seconds)} a second; ` +
      `${endings.map(([ended, count]) => `${count} ${ended}`).join(', ')}\n`,
  )
  await expectNoMoreThan(before)
  await expect.poll(() => server.countBackends(), { timeout: 10_000 }).toBe(0)
  // Otherwise nothing was tried.
  expect(endings.length).toBeGreaterThan(options.runs < 500 ? 2 : 12)
}, 240_000)

it('live-02: whoever is Ready through TLS, or with a name that nobody changed, was let in under this name once', async () => {
  expect(outcomes.filter(({ ended }) => ended === 'Ready').length).toBeGreaterThan(0)
  expect(await disagreements(server, outcomes)).toEqual([])
})

it('live-03: a path that only delays and splits leads to Ready, each time', async () => {
  const patient = await fuzzHandshakes(server, fuzzOptions(HANDSHAKES.patient), arbitraryPatientTrial)
  expect(tally(patient)).toEqual([['Ready', patient.length]])
  expect(await disagreements(server, patient)).toEqual([])
}, 120_000)

it('live-04: nothing that a broken path sends makes a backend crash', async () => {
  expect(await server.crashes()).toEqual([])
})

/**
 * Fuzzes for as long as it is told to: `npm run fuzz -- --minutes 10 [--seed 1]`. Rounds of what test/fuzz runs once, each from
 * the next seed, which is printed before it begins; the first failure ends it, and `--minutes 0 --seed` does that round again.
 * With --minutes 0, one round. With --record, how many handshakes a second there were goes into docs/rates.json.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fuzzDifferences, PSQL_MISSING } from '../test/fuzz/differential.ts'
import { FuzzServer } from '../test/fuzz/fuzz-server.ts'
import { arbitraryHarmedTrial, arbitraryPatientTrial, disagreements, fuzzHandshakes } from '../test/fuzz/handshakes.ts'
import { fuzzLogins } from '../test/fuzz/logins.ts'
import { fuzzMessages } from '../test/fuzz/messages.ts'
import { newSeed } from '../test/fuzz/seed.ts'
import { recordRate } from './rates.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const firstSeed = values.seed === undefined ? newSeed() : Number(values.seed)
if (!(minutes >= 0) || !Number.isSafeInteger(firstSeed)) {
  throw new Error('expected --minutes with a number, and --seed with a whole number')
}

// A promise of ours that nobody waits for is a defect, whatever else went well.
process.on('unhandledRejection', (reason) => {
  console.error('a rejection that nobody handles:', reason)
  process.exit(1)
})

if (PSQL_MISSING !== null) console.log(PSQL_MISSING)
const endAtMs = performance.now() + minutes * 60_000
let seed = firstSeed
let handshakes = 0
let handshakesMs = 0
do {
  console.log(`seed ${seed}: npm run fuzz -- --minutes 0 --seed ${seed}`)
  const began = performance.now()
  // A server a round: its log is read as a whole.
  await using withTls = await FuzzServer.start({ quiet: seed !== firstSeed })
  await using withoutTls = await FuzzServer.start({ quiet: true, tls: false })
  const servers = { 'with TLS': withTls, 'without TLS': withoutTls }

  const handshakesBegan = performance.now()
  const harmed = await fuzzHandshakes(withTls, { seed, runs: 1_500 }, arbitraryHarmedTrial)
  const patient = await fuzzHandshakes(withTls, { seed, runs: 100 }, arbitraryPatientTrial)
  const tookMs = performance.now() - handshakesBegan
  const rate = Math.round(((harmed.length + patient.length) * 1_000) / tookMs)
  handshakes += harmed.length + patient.length
  handshakesMs += tookMs
  const wrong = await disagreements(withTls, [...harmed, ...patient])
  const answers = await fuzzMessages(withTls, { seed, runs: 1_000 })
  await fuzzLogins(withTls, { seed, runs: 100 })
  await fuzzDifferences(servers, { seed, runs: 60 })
  wrong.push(...(await withTls.crashes()), ...(await withoutTls.crashes()))
  const left = await waitForBackends(withTls, withoutTls)
  if (left > 0) wrong.push(`${left} backends are left`)
  if (wrong.length > 0) throw new Error(`seed ${seed}:\n${wrong.join('\n')}`)

  const ready = harmed.filter(({ ended }) => ended === 'Ready').length
  console.log(
    `seed ${seed}: ${harmed.length} harmed handshakes (${ready} Ready), ${patient.length} patient ones, ${rate} a second; ` +
      `${answers.size} kinds of answers to 1000 speeches, 100 logins, 60 errands; ` +
      `${Math.round((performance.now() - began) / 1_000)} s`,
  )
  seed += 1
} while (performance.now() < endAtMs)
if (values.record) recordRate('real', handshakes, handshakesMs / 1_000)

/** How many stay. A backend whose client has left takes a moment to end. */
async function waitForBackends(...servers: readonly FuzzServer[]): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    const counts = await Promise.all(servers.map((server) => server.countBackends()))
    const left = counts.reduce((sum, count) => sum + count, 0)
    if (left === 0 || tries === 100) return left
    await sleep(100)
  }
}

/** Logins of anybody, to a real server: the outcome is the one that follows from how they were made. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FuzzServer } from './fuzz-server.ts'
import { fuzzLogins } from './logins.ts'
import { fuzzOptions } from './seed.ts'

const RUNS = 120

let server: FuzzServer

beforeAll(async () => {
  server = await FuzzServer.start()
})

afterAll(() => server?.[Symbol.asyncDispose]())

it('live-06: any user, password, database, setting and version comes to the end that follows from them', async () => {
  const endings = await fuzzLogins(server, fuzzOptions(RUNS))
  // Otherwise nothing was tried.
  expect(endings.get('Ready')).toBeGreaterThan(0)
  expect(endings.size).toBeGreaterThan(2)
  await expect.poll(() => server.countBackends()).toBe(0)
}, 120_000)

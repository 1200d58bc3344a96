/** Our messages, whole and damaged, over a bare socket to a real server: it answers what a small model says. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FuzzServer } from './fuzz-server.ts'
import { fuzzMessages } from './messages.ts'
import { fuzzOptions } from './seed.ts'
import { predict } from './server-model.ts'

const RUNS = 600

let server: FuzzServer

beforeAll(async () => {
  server = await FuzzServer.start()
})

afterAll(() => server?.[Symbol.asyncDispose]())

it('live-05: what a server answers to our messages, whole and damaged, a model predicts, and nothing makes it crash', async () => {
  const options = fuzzOptions(RUNS)
  const answers = await fuzzMessages(server, options)
  // Otherwise nothing was tried.
  expect(answers.size).toBeGreaterThan(10)
  await expect.poll(() => server.countBackends()).toBe(0)
  expect(await server.crashes(), `seed ${options.seed}`).toEqual([])
}, 60_000)

it('the model takes no answer for another', () => {
  // Int32 2 is shorter than itself: not a word in return, and certainly no session.
  expect(predict('opened', Buffer.from('00000002', 'hex')).test('R:0 Z ')).toBe(false)
  // 'Q', Int32(13), 'select 1', 0.
  const query = Buffer.from('510000000d73656c656374203100', 'hex')
  expect(predict('ready', query).test('T D C Z ')).toBe(true)
  expect(predict('ready', query).test('E:ERROR:42601 Z ')).toBe(false)
  expect(predict('password', query).test('E:FATAL:28P01 ')).toBe(false)
})

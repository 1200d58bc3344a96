/** The catalogue on a client through its adapter: what it makes of each attack, in a word. */
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/index.ts'
import { ATTACKS, type ClientAdapter, runAttacks } from '../../src/testing/index.ts'
import { plainClient } from './plain-client.ts'

/** A sample: ours meets all of them elsewhere. */
const IDS = [
  'framing/an-unknown-tag',
  'time/silence-from-the-start',
  'time/silence-on-a-unix-socket',
  'time/drip-of-a-lawful-message',
]
const TERMS = { timeoutMs: 500, slackMs: 1_500 }
const someAttacks = [
  ...ATTACKS.filter(({ id }) => IDS.includes(id)),
  ...ATTACKS.filter(({ id }) => id.startsWith('tls/')).slice(0, 4),
]

const ours: ClientAdapter = {
  name: 'pg-deadline',
  supports: () => true,
  connect({ host, port, user, password, database, parameters }, options) {
    const query = new URLSearchParams(parameters).toString().replaceAll('+', '%20')
    const place = `${encodeURIComponent(host)}:${port}`
    const secret = password === '' ? '' : `:${encodeURIComponent(password)}`
    return connect(`postgres://${user}${secret}@${place}/${database}?${query}`, options)
  },
}

describe('the catalogue through an adapter', () => {
  it('ends as it should with ours', { timeout: 60_000 }, async () => {
    const verdicts = await runAttacks(ours, { ...TERMS, attacks: someAttacks })
    expect(verdicts.map(({ attack }) => attack.id)).toEqual(someAttacks.map(({ id }) => id))
    expect(verdicts.filter(({ isRight }) => isRight !== true)).toEqual([])
  })

  it('says who is connected to whom he should not be, who hangs, who crashes, and what was not tried', {
    timeout: 60_000,
  }, async () => {
    const endings = async (client: ClientAdapter, id: string) => {
      const attacks = ATTACKS.filter((attack) => attack.id === id)
      return (await runAttacks(client, { ...TERMS, attacks })).map(({ ended, isRight }) => [ended, isRight])
    }
    const silence = 'time/silence-from-the-start'
    expect(await endings(plainClient(), silence)).toEqual([['by the deadline', true]])
    expect(await endings(plainClient({ keepsSocket: true }), silence)).toEqual([['by the deadline', false]])
    expect(await endings(plainClient({ timer: 'none' }), silence)).toEqual([['hung', false]])
    expect(await endings(plainClient({ believesFirstByte: true }), 'time/half-a-header')).toEqual([['accepted', false]])
    expect(await endings(plainClient(), 'time/silence-on-a-unix-socket')).toEqual([['untried', null]])
    const broken: ClientAdapter = {
      name: 'throws elsewhere',
      connect: () =>
        new Promise((_, reject) => {
          setImmediate(() => {
            reject(new Error('no'))
            throw new Error('where nobody looks')
          })
        }),
    }
    expect(await endings(broken, silence)).toEqual([['crashed', false]])
  })
})

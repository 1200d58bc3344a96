/** An examination finds what is wrong with a client, and nothing where nothing is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/index.ts'
import { GREETING } from '../../src/testing/approach.ts'
import { GENERATED_CLIENT_PROPERTIES } from '../../src/testing/arbitraries/index.ts'
import {
  CLIENT_PROPERTIES,
  type ClientAdapter,
  describeReport,
  examineClient,
  HostileServer,
  honestLogin,
  PASSWORD,
  type Report,
} from '../../src/testing/index.ts'
import { type Faults, plainClient } from './plain-client.ts'

const ALL = [...CLIENT_PROPERTIES, ...GENERATED_CLIENT_PROPERTIES]
/** Long enough for a busy machine: what must end at once has to do so long before patience ends. */
const TERMS = { timeoutMs: 150, slackMs: 1_500, patienceMs: 6_000, lanes: 40, seed: 1, runs: 8 }
const TIME_LIMIT_MS = 120_000

let trusting: HostileServer
beforeAll(async () => {
  trusting = await HostileServer.listen(async (peer) => {
    await peer.expectStartup()
    await peer.send({ type: 'AuthenticationOk' }, ...GREETING.slice(-1), { type: 'ReadyForQuery', status: 'I' })
    await peer.expectBytes(1)
    peer.fin()
  })
})
afterAll(() => trusting[Symbol.asyncDispose]())

function serverOf({ host, port }: HostileServer) {
  return { name: 'an honest server', address: { host, port, user: 'alice', database: 'app', password: PASSWORD } }
}

function examinePlain(faults: Faults, id: string): Promise<Report> {
  const properties = ALL.filter((property) => property.id === id)
  return examineClient(plainClient(faults), serverOf(trusting), {
    ...TERMS,
    patienceMs: 3_000,
    lanes: 60,
    runs: 30,
    properties,
  })
}

const ours: ClientAdapter = {
  name: 'pg-deadline',
  takesSignal: true,
  connect: ({ database, host, port, user, password }, options) =>
    connect({ host, port, user, password, dbname: database, sslmode: 'disable' }, options),
}

describe('an examination of a client', () => {
  it(
    'finds that ours ends at its deadline, whatever byte of a login with SCRAM the server falls silent behind',
    async () => {
      await using server = await HostileServer.listen(honestLogin)
      const properties = CLIENT_PROPERTIES.filter(({ id }) => id === 'client/silence')
      const report = await examineClient(ours, serverOf(server), { ...TERMS, timeoutMs: 400, properties })
      expect(report.properties.flatMap(({ violations }) => violations)).toEqual([])
      expect(report.properties.map(({ trials }) => trials)).toEqual([expect.any(Number)])
      expect(report.properties[0]?.trials).toBeGreaterThan(200)
    },
    TIME_LIMIT_MS,
  )

  it.each([
    ['ours', ours],
    ['a client that has no faults', plainClient()],
  ] as const)(
    'finds nothing wrong with %s',
    async (_, client) => {
      const report = await examineClient(client, serverOf(trusting), { ...TERMS, properties: ALL })
      expect(report.properties.filter(({ verdict }) => verdict !== 'holds')).toEqual([])
    },
    TIME_LIMIT_MS,
  )

  it.each<[string, string, Faults, RegExp]>([
    ['no timer', 'client/silence', { timer: 'none' }, /had not ended/],
    ['a socket that stays', 'client/silence', { keepsSocket: true }, /socket is still open/],
    ['a session before ReadyForQuery', 'client/silence', { believesFirstByte: true }, /had not said that it is ready/],
    [
      'a timer that every byte winds up again',
      'client/drip',
      { timer: 'per read' },
      /it connected after|had not ended/,
    ],
    ['an end that is not noticed', 'client/loss', { ignoresEnd: true }, /waiting for its deadline/],
    ['an error that nobody catches', 'client/loss', { throwsOnReset: true }, /nobody caught Error: \w+ ECONNRESET/],
    ['a signal that nobody hears', 'client/abort', { ignoresSignal: true }, /abort did not end it/],
    ['chunks that are taken for messages', 'client/segmentation', { readsChunks: true }, /did not connect/],
    ['no timer on a bad network', 'client/interruption', { timer: 'none' }, /had not ended/],
    ['no timer on a path that does harm', 'client/damage', { timer: 'none' }, /had not ended/],
    ['a generated case that nobody catches', 'client/interruption', { throwsElsewhere: true }, /nobody caught/],
  ])(
    'finds %s',
    async (_, id, faults, seen) => {
      const report = await examinePlain(faults, id)
      const [property] = report.properties
      expect(property?.verdict).toBe('broken')
      expect(property?.violations[0]?.seen).toMatch(seen)
      expect(property?.violations[0]?.trial).toMatch(/\w/)
      expect(describeReport(report)).toContain(`✗ ${id}`)
    },
    TIME_LIMIT_MS,
  )

  it('does not ask of a client without signals that it hears one', async () => {
    const properties = CLIENT_PROPERTIES.filter(({ id }) => id === 'client/abort')
    const deaf = { ...plainClient(), takesSignal: false }
    const report = await examineClient(deaf, serverOf(trusting), { ...TERMS, properties })
    expect(report.properties.map(({ verdict }) => verdict)).toEqual(['untried'])
    expect(describeReport(report)).toContain('1 do not apply')
  })

  it('says so if the client cannot connect when nothing is wrong', async () => {
    await using server = await HostileServer.listen(async (peer) => peer.fin())
    await expect(examineClient(plainClient(), serverOf(server), TERMS)).rejects.toThrow(/do not come together/)
  })

  it('generates the same cases from the same seed, and says which it was', async () => {
    const properties = GENERATED_CLIENT_PROPERTIES.filter(({ id }) => id === 'client/segmentation')
    const [one, two] = await Promise.all(
      [1, 2].map(() =>
        examineClient(plainClient({ readsChunks: true }), serverOf(trusting), {
          ...TERMS,
          patienceMs: 2_000,
          properties,
        }),
      ),
    )
    // What is made smaller behind it depends on how fast the machine is.
    expect(one?.properties[0]?.trials).toBe(two?.properties[0]?.trials)
    expect(one?.properties[0]?.verdict).toBe('broken')
    expect(describeReport(one as Report)).toContain('{ seed: 1, runs: 8 }')
    const other = await examineClient(plainClient(), serverOf(trusting), { properties: [] })
    expect(Number.isInteger(other.seed)).toBe(true)
  })
})

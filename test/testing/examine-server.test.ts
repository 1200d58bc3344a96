/** An examination finds what is wrong with a server, and nothing where nothing is. */
import { describe, expect, it } from 'vitest'
import { GENERATED_SERVER_PROPERTIES } from '../../src/testing/arbitraries/index.ts'
import {
  describeReport,
  examineServer,
  HostileServer,
  type Peer,
  type Report,
  type Script,
  SERVER_PROPERTIES,
} from '../../src/testing/index.ts'

const ALL = [...SERVER_PROPERTIES, ...GENERATED_SERVER_PROPERTIES]
const TERMS = { patienceMs: 2_000, seed: 1, runs: 20 }
const TIME_LIMIT_MS = 120_000

/** As far as the properties go, a lawful server; `habits` replace what it does. */
interface Habits {
  readonly onRequest?: (peer: Peer, type: string) => Promise<void>
  readonly newestVersion?: number
  readonly namesOptions?: boolean
  readonly onStartup?: (peer: Peer, user: string) => Promise<void>
  readonly onEnd?: (peer: Peer) => Promise<void> | void
}

function serverWith(habits: Habits = {}): Script {
  const { newestVersion = 0x0003_0000, namesOptions = true, onRequest = answer, onEnd = (peer) => peer.fin() } = habits
  return async (peer) => {
    try {
      const packet = await peer.expectStartup()
      if (packet.type !== 'StartupMessage') return await onRequest(peer, packet.type)
      if (packet.protocolVersion >> 16 !== 3) return peer.fin()
      const options = packet.parameters.map(({ name }) => name).filter((name) => name.startsWith('_pq_.'))
      if (packet.protocolVersion > newestVersion || (options.length > 0 && namesOptions)) {
        const unrecognizedOptions = namesOptions ? options : []
        await peer.send({ type: 'NegotiateProtocolVersion', newestVersion, unrecognizedOptions })
      }
      await habits.onStartup?.(peer, packet.parameters[0]?.value ?? '')
      await peer.send({ type: 'AuthenticationOk' }, { type: 'ReadyForQuery', status: 'I' })
      await peer.expectMessage()
      peer.fin()
    } catch {
      // Garbage, or a client that has gone in the middle of a message.
      await onEnd(peer)
    }
  }
}

async function answer(peer: Peer, type: string): Promise<void> {
  if (type === 'CancelRequest') return peer.fin()
  await peer.sendBytes('N')
  return serverWith()(peer)
}

async function examineWith(script: Script, id?: string): Promise<Report> {
  await using server = await HostileServer.listen(script)
  const { host, port } = server
  const address = { host, port, user: 'alice', password: '', database: 'app' }
  const properties = id === undefined ? ALL : ALL.filter((property) => property.id === id)
  return await examineServer({ name: 'a server', address }, { ...TERMS, properties })
}

describe('an examination of a server', () => {
  it(
    'finds nothing wrong with a lawful one',
    async () => {
      const report = await examineWith(serverWith())
      expect(report.properties.flatMap(({ violations }) => violations)).toEqual([])
      expect(report.properties.map(({ verdict }) => verdict)).toEqual(ALL.map(() => 'holds'))
      expect(describeReport(report)).toContain(`${ALL.length} hold, 0 are broken`)
    },
    TIME_LIMIT_MS,
  )

  const silent = (peer: Peer) => peer.silence()
  /** Takes what one read gives for a whole message. */
  const chunked: Script = async (peer) => {
    const lengthBytes = (await peer.expectBytes(4)).readInt32BE(0)
    const isWhole = peer.expectBytes(lengthBytes - 4).then(() => true)
    if (!(await Promise.race([isWhole, new Promise<boolean>((resolve) => setImmediate(resolve, false))])))
      return peer.fin()
    await peer.send({ type: 'AuthenticationOk' }, { type: 'ReadyForQuery', status: 'I' })
    await peer.expectMessage()
    peer.fin()
  }
  let visits = 0
  /** Has room for so many, for ever. */
  const forgetful: Script = async (peer) => {
    visits += 1
    return visits > 20 ? peer.fin() : serverWith()(peer)
  }

  it.each<[string, string, Script, RegExp]>([
    ['SSLRequest that nobody answers', 'server/encryption-request', serverWith({ onRequest: silent }), /nothing/],
    ['a CancelRequest that is kept', 'server/cancel-request', serverWith({ onRequest: silent }), /did not close/],
    [
      'a CancelRequest that is answered',
      'server/cancel-request',
      serverWith({ onRequest: async (peer) => peer.sendBytes('N').then(() => peer.fin()) }),
      /1 bytes, and closed/,
    ],
    [
      'a version that nobody has, taken',
      'server/protocol-version',
      serverWith({ newestVersion: 0x0003_ffff }),
      /AuthenticationOk, ReadyForQuery/,
    ],
    ['an option that is not named', 'server/unknown-option', serverWith({ namesOptions: false }), /AuthenticationOk/],
    ['places that vanished clients keep', 'server/vanishing-client', forgetful, /is not let in/],
    ['a handshake that must come in one segment', 'server/byte-by-byte', chunked, /at once: connected; in pieces:/],
    ['a handshake that must come in whole messages', 'server/segmentation', chunked, /at once: connected; in pieces:/],
    [
      'a StartupMessage that is not answered',
      'server/startup',
      serverWith({ onStartup: async (peer, user) => (user === 'alice' ? undefined : peer.silence()) }),
      /nothing, and did not close/,
    ],
    [
      'an answer that is no message',
      'server/startup',
      serverWith({ onStartup: async (peer, user) => (user === 'alice' ? undefined : peer.sendBytes('\0')) }),
      /and then/,
    ],
    [
      'garbage that is kept',
      'server/garbage',
      serverWith({ onEnd: () => new Promise<void>(() => {}) }),
      /did not close/,
    ],
  ])(
    'finds %s',
    async (_, id, script, seen) => {
      const report = await examineWith(script, id)
      expect(report.properties[0]?.verdict).toBe('broken')
      expect(report.properties[0]?.violations.map((one) => one.seen).join('\n')).toMatch(seen)
    },
    TIME_LIMIT_MS,
  )

  it(
    'goes on with a fresh one behind what it does not get over, and keeps the case that it was',
    async () => {
      let restarts = 0
      let isBroken = false
      const fragile: Script = async (peer) => {
        if (isBroken) return peer.fin()
        const first = await peer.expectBytes(8)
        // The version that nobody has breaks it for good.
        isBroken = first.readUInt16BE(6) > 2
        await peer.send({ type: 'AuthenticationOk' }, { type: 'ReadyForQuery', status: 'I' })
        await peer.pause(50)
        peer.fin()
      }
      await using server = await HostileServer.listen(fragile)
      const address = { host: server.host, port: server.port, user: 'alice', password: '', database: 'app' }
      const restart = async () => {
        restarts += 1
        isBroken = false
      }
      const ids = ['server/protocol-version', 'server/unknown-option']
      const properties = ALL.filter(({ id }) => ids.includes(id))
      await examineServer({ name: 'a fragile one', address, restart }, { ...TERMS, properties })
      expect(restarts).toBe(1)
      isBroken = true
      await expect(examineServer({ name: 'a fragile one', address }, { ...TERMS, properties })).rejects.toThrow(
        /does not let us in when nothing is wrong/,
      )
    },
    TIME_LIMIT_MS,
  )
})

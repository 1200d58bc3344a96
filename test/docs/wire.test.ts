/**
 * The transcripts of docs/wire, run: the server's bytes are said to the real connect(), on a clock that stands still and with the
 * nonce that was recorded, and the client must send what it sent then, state by state. And what stands beside the bytes must be
 * what the code says of them.
 */
import { pbkdf2Sync, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SCENARIOS } from '../../docs/wire/scenarios.ts'
import { play, type StageRuntime } from '../../docs/wire/stage.ts'
import {
  drawSection,
  type Facts,
  parseTranscript,
  rewriteTranscript,
  type Section,
} from '../../docs/wire/transcript.ts'
import { tlsServerEndPoint } from '../../src/auth/channel-binding.ts'
import { scramKeys } from '../../src/auth/scram.ts'
import { type Dissection, Dissector } from '../../src/cli/dissect.ts'
import { explain } from '../../src/cli/explain.ts'
import { createKnownServers } from '../../src/known-servers.ts'
import { encodeMessage } from '../../src/protocol/message.ts'
import type { TlsFacts } from '../../src/state/handshake/states.ts'
import { TABLE } from '../../src/state/handshake/table.ts'
import { SESSION_TABLE } from '../../src/state/session/table.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { ReplayedServer } from './replayed-server.ts'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'docs/wire')

const EVERY = SCENARIOS.map((scenario) => {
  const markdown = readFileSync(join(FOLDER, `${scenario.name}.md`), 'utf8')
  return [scenario.name, { ...scenario, ...parseTranscript(markdown), markdown }] as const
})

describe('the transcript', () => {
  it('is there for every scenario, and no other', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.md') && name !== 'README.md')
    expect(files.sort()).toEqual(SCENARIOS.map(({ name }) => `${name}.md`).sort())
  })

  describe.each(EVERY)('of %s', (_name, { facts, sections, act, target, randomBytes, version, markdown }) => {
    it('happens again, state by state and byte by byte', async () => {
      const tls = readTls(facts)
      const server = new ReplayedServer(sections, tls)
      const played = await play(runtimeOf(server), { ...facts, target: located(facts.target) }, act)
      expect(server.left).toBe(0)
      expect(flatten(played.sections)).toEqual(flatten(sections))
      expect(played.tls).toEqual(tls)
    })

    it('is what the scenario says', () => {
      expect(facts).toMatchObject({ target, randomBytes, server: expect.stringMatching(`^PostgreSQL ${version}\\.`) })
    })

    it('has states of the tables', () => {
      const states = [...Object.keys(TABLE), ...Object.keys(SESSION_TABLE)]
      for (const state of sections.flatMap((section) => section.states)) expect(states).toContain(state)
    })

    it('has beside each byte what the code says of it', () => {
      const blocks = [...markdown.matchAll(/^```wire\n([\s\S]*?)\n```$/gm)].map(([, block]) => block)
      const dissectors = new Map<number, Dissector>()
      const drawn = sections.filter(({ steps }) => steps.length > 0).map((section) => drawSection(section, dissectors))
      expect(blocks).toEqual(drawn)
      expect(rewriteTranscript(markdown, { facts, sections })).toBe(markdown)
    })

    it('has exactly one annotation for every byte', () => {
      for (const message of messagesOf(sections)) {
        let end = 0
        for (const { offset, bytes } of explain(message)) {
          expect(offset).toBe(end)
          expect(bytes.equals(message.bytes.subarray(offset, offset + bytes.length))).toBe(true)
          end += bytes.length
        }
        expect(end).toBe(message.bytes.length)
      }
    })

    it('gives the same bytes when it is decoded and encoded', () => {
      for (const { layout, fields, bytes } of messagesOf(sections)) {
        if (layout !== null) expect(encodeMessage(layout, fields).equals(bytes)).toBe(true)
      }
    })
  })

  it('that says something else than what happens is told from one that does not', async () => {
    const [, { facts, sections, act }] = EVERY[0] ?? expect.fail('no transcripts')
    const other = { ...facts, target: { ...facts.target, user: 'mallory' } }
    await expect(play(runtimeOf(new ReplayedServer(sections, null)), other, act)).rejects.toThrow(/recorded is/)
  })
})

/** State by state, whatever shares a heading, with what is said in it. */
function flatten(sections: readonly Section[]) {
  return sections.flatMap(({ connection, states, steps }) =>
    states.map((state, index) => ({
      connection,
      state,
      said:
        index === states.length - 1
          ? steps.map(({ direction, bytes }) => `${direction} ${bytes?.toString('hex')}`)
          : [],
    })),
  )
}

/** Every message but the answers to SSLRequest, in order. */
function messagesOf(sections: readonly Section[]): Dissection[] {
  const dissectors = new Map<number, Dissector>()
  return sections.flatMap(({ connection, steps }) => {
    const dissector = dissectors.get(connection) ?? new Dissector()
    dissectors.set(connection, dissector)
    return steps.flatMap(({ direction, bytes }) => (bytes === null ? [] : [dissector.dissect(direction, bytes)]))
  })
}

function runtimeOf(server: ReplayedServer): StageRuntime {
  return {
    clock: new VirtualClock(),
    resolveHost: async () => [{ address: '192.0.2.1', family: 4 }],
    dial: server.dial,
    deriveKeys: async ({ password, salt, iterations }) =>
      scramKeys(pbkdf2Sync(password.reveal(), salt, iterations, 32, 'sha256')),
    knownServers: createKnownServers(),
    isAsleep: async () => {},
  }
}

/** Files are named from the root of the repository. */
function located(target: Facts['target']): Facts['target'] {
  return target.sslrootcert === undefined ? target : { ...target, sslrootcert: join(ROOT, target.sslrootcert) }
}

function readTls({ tls }: Facts): TlsFacts | null {
  if (tls === undefined) return null
  const { version, cipher, alpnProtocol, certificate, certificateHash } = tls
  const serverCertificate = new Uint8Array(new X509Certificate(readFileSync(join(ROOT, certificate))).raw)
  expect(Buffer.from(tlsServerEndPoint(serverCertificate) ?? []).toString('hex')).toBe(certificateHash)
  return { version, cipher, alpnProtocol, serverCertificate, rejection: null }
}

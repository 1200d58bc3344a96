/** Captures of real sessions, secrets and all: the transcripts of docs/wire, with times that are made up. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SCENARIOS } from '../../docs/wire/scenarios.ts'
import { parseTranscript } from '../../docs/wire/transcript.ts'
import type { Capture, CaptureEntry } from '../../src/cli/capture.ts'
import { TABLE } from '../../src/state/handshake/table.ts'

export const NAMES = SCENARIOS.map(({ name }) => name)

/** One millisecond passes between two entries. Of several connections each is an attempt. */
export function captureOf(name: string): Capture {
  const markdown = readFileSync(join(import.meta.dirname, '../../docs/wire', `${name}.md`), 'utf8')
  const { facts, sections } = parseTranscript(markdown)
  const entries: CaptureEntry[] = []
  let connection = 0
  const at = () => ({ atMs: entries.length })
  for (const section of sections) {
    if (section.connection !== connection) {
      connection = section.connection
      const attempt = { attempt: connection, endpoint: '127.0.0.1:5432', encryption: 'off', sliceMs: 3_000 }
      entries.push({ kind: 'attempt', ...at(), ...attempt })
    }
    for (const state of section.states) {
      // A trace has the states of the handshake; where it fails, the error says so.
      if (!Object.hasOwn(TABLE, state) || state === 'Failed') continue
      entries.push({ kind: 'state', ...at(), state })
      if (state === 'Ready') entries.push({ kind: 'end', ...at(), state, problem: null })
      if (state === 'SecuringTransport' && facts.tls !== undefined) {
        const { version, cipher, alpnProtocol } = facts.tls
        entries.push({ kind: 'tls', ...at(), version, cipher, alpnProtocol })
      }
    }
    for (const { direction, bytes } of section.steps) {
      if (bytes !== null) entries.push({ kind: 'message', ...at(), direction, bytes, redacted: [] })
    }
  }
  if (name === 'wrong-password') {
    const failure = { state: 'AwaitingSaslOutcome', problem: 'the server refused in AwaitingSaslOutcome: wrong' }
    entries.push({ kind: 'failed', ...at(), ...failure }, { kind: 'end', ...at(), ...failure })
  }
  return { header: { server: '127.0.0.1:5432', startedAtMs: null, timeoutMs: 3_000, secrets: 'shown' }, entries }
}

/** Everything in a transcript that nobody else may see, as text or as hexadecimal digits. */
export function secretsIn({ entries }: Capture): string[] {
  return entries.flatMap((entry) => {
    if (entry.kind !== 'message') return []
    const text = entry.bytes.toString('latin1')
    const scram = [...text.matchAll(/\b[rpvs]=([A-Za-z0-9+/=]{12,})/g)].map(([, value]) => String(value))
    const md5 = [...text.matchAll(/md5([0-9a-f]{32})/g)].map(([, value]) => String(value))
    // BackendKeyData behind the process, AuthenticationMD5Password behind the code.
    const hex = /^4b000000(?:0c|28).{8}(.+)$|^520000000c00000005(.+)$/.exec(entry.bytes.toString('hex'))
    return [...scram, ...md5, ...(hex?.slice(1).filter(Boolean) ?? [])]
  })
}

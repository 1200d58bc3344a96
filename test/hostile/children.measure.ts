/**
 * What each attack costs, measured in a process of its own: nothing of a failed connect keeps it alive, nothing is thrown
 * where nobody listens, memory stays flat and the event loop free.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ATTACKS, type Attack, HostileServer } from '../../src/testing/index.ts'
import { targetOf, writeAuthority } from './target.ts'

const CHILD = join(import.meta.dirname, 'child.mjs')
const GENEROUS_MS = 5_000
const STALL_MS = 400
const EXIT_MS = 200
const GROWN_BYTES = 20_000_000
const BLOCKED_MS = 50

const { file: authorityFile, remove } = writeAuthority()
afterAll(remove)

let directory = ''
const library = () => join(directory, 'index.mjs')

beforeAll(async () => {
  // One file loads in a fifth of the time of sixty, five hundred times.
  directory = mkdtempSync(join(tmpdir(), 'hostile-'))
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: join(import.meta.dirname, '../../src/index.ts'),
      outDir: directory,
      emptyOutDir: false,
      rollupOptions: { output: { entryFileNames: 'index.mjs' } },
    },
    ssr: { noExternal: true },
  })
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe.concurrent('in a process of its own', { timeout: 30_000 }, () => {
  for (const attack of ATTACKS) {
    // A process that the machine did not let run gets a second chance; what the library does, it does again.
    it(`${attack.id}: costs little and leaves nothing`, { retry: 2 }, () => inTurn(() => survive(attack)))
  }
})

/** At most two at a time: what is measured here is a process, not how many a machine can run. */
const AT_ONCE_MAX = 2
let running = 0
const waiting: (() => void)[] = []

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  while (running >= AT_ONCE_MAX) await new Promise<void>((resolve) => waiting.push(resolve))
  running += 1
  try {
    return await work()
  } finally {
    running -= 1
    waiting.shift()?.()
  }
}

interface Report {
  readonly kind: string
  readonly phase: string
  readonly elapsedMs: number
  readonly blockedMs: number
  readonly grownBytes: number
  readonly heapGrownBytes: number
  readonly rejectedAt: number
}

async function survive(attack: Attack): Promise<void> {
  const { script, transport, verdict } = attack
  await using server = await HostileServer.listen(script, { transport })
  const timeoutMs = verdict.when === 'at once' ? GENEROUS_MS : STALL_MS
  const { code, lines, errors, exitedAt } = await runChild(server.url(targetOf(attack, authorityFile)), timeoutMs)

  expect(errors).toBe('')
  expect(code).toBe(0)
  const [report, end] = lines as [Report, { readonly surprises: readonly string[] }]
  expect({ kind: report.kind, phase: report.phase }).toEqual({ kind: verdict.kind, phase: verdict.phase })
  expect(end.surprises).toEqual([])
  if (verdict.when === 'at once') expect(report.elapsedMs).toBeLessThan(GENEROUS_MS / 5)
  expect(exitedAt - report.rejectedAt).toBeLessThan(EXIT_MS)
  expect(report.grownBytes).toBeLessThan(GROWN_BYTES)
  expect(report.heapGrownBytes).toBeLessThan(GROWN_BYTES)
  expect(report.blockedMs).toBeLessThan(BLOCKED_MS)
}

interface Outcome {
  readonly code: number | null
  readonly lines: readonly unknown[]
  readonly errors: string
  readonly exitedAt: number
}

function runChild(url: string, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, library(), url, String(timeoutMs)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [output, errors, exitedAt] = ['', '', 0]
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.once('error', reject)
    child.once('exit', () => {
      exitedAt = Date.now()
    })
    child.once('close', (code) => {
      const lines = output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown)
      resolve({ code, lines, errors, exitedAt })
    })
  })
}

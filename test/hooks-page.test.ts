/** docs/hooks.md: its examples run, and print what the page says they print, but for the figures. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { approach, GREETING } from '../src/testing/approach.ts'
import { HostileServer, PASSWORD } from '../src/testing/index.ts'

const ROOT = join(import.meta.dirname, '..')
const page = readFileSync(join(ROOT, 'docs/hooks.md'), 'utf8')
const blocks = [...page.matchAll(/^```(ts|text)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => ({
  kind,
  text: text ?? '',
}))
const examples = blocks.flatMap(({ kind, text }, index) => {
  return kind === 'ts' ? [{ program: text, output: blocks[index + 1]?.text ?? '' }] : []
})

let server: HostileServer
let directory: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hooks-page-'))
  // It is honest.
  server = await HostileServer.listen(async (peer) => {
    await approach(peer, 'AwaitingReady')
    await peer.send(...GREETING, { type: 'ReadyForQuery', status: 'I' })
    await peer.expectMessage()
    peer.fin()
  })
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

async function run(program: string, env: NodeJS.ProcessEnv = {}): Promise<{ stdout: string; stderr: string }> {
  const file = join(directory, 'example.mts')
  // The page's deadline is for a machine that has nothing else to do.
  writeFileSync(file, program.replace('timeoutMs: 3_000', 'timeoutMs: 30_000'))
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: ROOT,
    // The paths that stand there say what 'pg-deadline' is.
    env: {
      ...process.env,
      TSX_TSCONFIG_PATH: join(ROOT, 'tsconfig.json'),
      DATABASE_URL: server.url({ password: PASSWORD, sslmode: 'disable' }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text
    })
  }
  await once(child, 'close')
  return printed
}

/** A process that compiles what it runs takes its time on a busy machine. */
const PATIENCE_MS = 60_000

/** Addresses, ports, times and process ids are another run's; sizes and numbers in names stay. */
const withoutFigures = (text: string) =>
  text
    .replace(/PG-DEADLINE \d+/g, 'PG-DEADLINE pid')
    .replace(/-?\d+(\.\d+)? ms/g, 'some ms')
    .replace(/of \d+(\.\d+)?$/gm, 'of some')
    .replace(/(127\.0\.0\.1(:| port ))\d+/g, '$1port')

describe('docs/hooks.md', () => {
  it('has examples', () => {
    expect(examples.length).toBeGreaterThan(1)
  })

  it.each(examples)(
    'prints what it says: $output',
    async ({ program, output }) => {
      const { stdout, stderr } = await run(program)
      expect(stderr).toBe('')
      expect(withoutFigures(stdout)).toBe(withoutFigures(output))
    },
    PATIENCE_MS,
  )

  it(
    'shows what NODE_DEBUG prints',
    async () => {
      const { stderr } = await run(examples[0]?.program ?? '', { NODE_DEBUG: 'pg-deadline' })
      const shown = withoutFigures(blocks.at(-1)?.text ?? '')
      expect(shown.split('\n').length).toBeGreaterThan(5)
      expect(withoutFigures(stderr).slice(0, shown.length)).toBe(shown)
      expect(stderr).not.toContain(PASSWORD)
    },
    PATIENCE_MS,
  )
})

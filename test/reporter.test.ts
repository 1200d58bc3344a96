/** The last line is what a machine believes of a test run, so it is tried on runs that go wrong in every way. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lastLine } from './reporter.ts'

const CONFIG = `
import { LastLine } from ${JSON.stringify(join(import.meta.dirname, 'reporter.ts'))}
export default { test: { globals: true, reporters: ['default', new LastLine()] } }
`

const { PATH } = process.env

describe('the last line of a test run', () => {
  it('counts what passed', async () => {
    const { code, last } = await runTests({ 'one.test.js': `it('holds', () => {}); it.todo('is for later')` })
    expect([code, last]).toEqual([0, '1 passed, 0 failed, 1 skipped'])
  })

  it('counts as failures tests, hooks, files that do not load and errors that nobody caught', async () => {
    const { code, last } = await runTests({
      'test.test.js': `it('holds', () => {}); it('does not', () => { throw new Error('no') }); it.skip('rests', () => {})`,
      'hook.test.js': `describe('a group', () => { afterAll(() => { throw new Error('no') }); it('holds', () => {}) })`,
      'file.test.js': `import './missing.js'`,
      'stray.test.js': `it('holds', async () => { Promise.reject(new Error('no')); await new Promise(setImmediate) })`,
    })
    expect([code, last]).toEqual([1, '3 passed, 4 failed, 1 skipped'])
  })

  it('does not appear if the run breaks off before its first test', async () => {
    const { code, output } = await runTests(
      { 'one.test.js': `it('holds', () => {})` },
      `${CONFIG}\nthrow new Error('no')`,
    )
    expect(code).not.toBe(0)
    expect(output).not.toMatch(/^\d+ passed/m)
  })

  it('never says that nothing failed if the run did', () => {
    expect(lastLine({ passed: 2, failed: 0, skipped: 0 }, 1)).toBe('2 passed, 1 failed')
    expect(lastLine({ passed: 2, failed: 3, skipped: 0 }, 1)).toBe('2 passed, 3 failed')
  })
})

interface Outcome {
  readonly code: number
  readonly output: string
  readonly last: string | undefined
}

async function runTests(files: Readonly<Record<string, string>>, config = CONFIG): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'last-line-'))
  try {
    await writeFile(join(directory, 'vitest.config.mjs'), config)
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
    return await new Promise((resolve) => {
      const environment = { PATH, NO_COLOR: '1' }
      execFile(process.execPath, [vitest, 'run'], { cwd: directory, env: environment }, (error, stdout, stderr) => {
        const last = stdout.trim().split('\n').at(-1)
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr, last })
      })
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

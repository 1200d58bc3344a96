/** The process around the commands: what it does where its output cannot go. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const PROJECT = join(import.meta.dirname, '..', '..')

async function run(stdout: 'pipe' | number, closes = false): Promise<{ code: unknown; err: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(PROJECT, 'src', 'cli', 'bin.ts'), '--help'], {
    cwd: PROJECT,
    stdio: ['ignore', stdout, 'pipe'],
  })
  if (closes) child.stdout?.destroy()
  let err = ''
  child.stderr?.on('data', (chunk) => {
    err += String(chunk)
  })
  const [code] = await once(child, 'close')
  return { code, err }
}

// Each is a process of its own, with a compiler in it.
describe('pg-deadline, whose output goes nowhere', { timeout: 60_000 }, () => {
  it('is done when nobody reads any more', async () => {
    expect(await run('pipe', true)).toEqual({ code: 0, err: '' })
  })

  it.skipIf(!existsSync('/dev/full'))('says so where there is no room', async () => {
    const full = openSync('/dev/full', 'w')
    try {
      const { code, err } = await run(full)
      expect(code).toBe(3)
      expect(err).toMatch(/^pg-deadline: the output cannot be written: ENOSPC/)
    } finally {
      closeSync(full)
    }
  })
})

/**
 * Does the suite find bugs? Those that clients have really had are planted one at a time, and each must be found by every
 * property that is said to find it, from one seed and in a fixed number of runs. scripts/seeded-bugs.ts does it, in a process of
 * its own; how many runs it takes from other seeds stands in docs/properties.md.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROPERTIES } from './catalogue.ts'
import { SEEDED_BUGS } from './seeded-bugs.ts'

const ROOT = join(import.meta.dirname, '..', '..')

describe('the bugs that are planted', () => {
  it('are found, each by every property that is said to find it', { timeout: 300_000 }, () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', join('scripts', 'seeded-bugs.ts'), '--seeds', '1', '--check'],
      { cwd: ROOT, encoding: 'utf8' },
    )
    expect(status, stderr).toBe(0)
    const found = [...stdout.matchAll(/^(\S+): (\S+): median \d+, worst \d+$/gm)].map(([, id, by]) => `${id} ${by}`)
    expect(found).toEqual(SEEDED_BUGS.flatMap(({ id, foundBy }) => foundBy.map((by) => `${id} ${by}`)))
  })

  it('are twelve at least, each told once, with the properties that find it', () => {
    expect(SEEDED_BUGS.length).toBeGreaterThanOrEqual(12)
    expect(new Set(SEEDED_BUGS.map(({ id }) => id)).size).toBe(SEEDED_BUGS.length)
    const known = PROPERTIES.map(({ id }) => id)
    for (const { fault, foundBy } of SEEDED_BUGS) {
      expect(fault).toMatch(/^[A-Z].*\.$/)
      expect(known).toEqual(expect.arrayContaining([...foundBy]))
      expect(foundBy.length).toBeGreaterThan(0)
    }
  })

  it('stand in places that are there once', () => {
    for (const { file, find } of SEEDED_BUGS.flatMap(({ edits }) => edits)) {
      expect({ file, find, times: readFileSync(join(ROOT, 'src', file), 'utf8').split(find).length - 1 }).toEqual({
        file,
        find,
        times: 1,
      })
    }
  })
})

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const CASES = join(import.meta.dirname, 'illegal.case.ts')
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

interface Expectation {
  readonly line: number
  readonly code: string
  readonly words: string
}

const expectations: Expectation[] = readFileSync(CASES, 'utf8')
  .split('\n')
  .flatMap((text, index) => {
    const match = /^\s*\/\/= (TS\d+) (.+)$/.exec(text)
    return match === null ? [] : [{ line: index + 1, code: String(match[1]), words: String(match[2]) }]
  })

const { stdout } = spawnSync(
  process.execPath,
  [compiler, '--noEmit', '--pretty', 'false', '-p', join(import.meta.dirname, 'tsconfig.illegal.json')],
  { encoding: 'utf8' },
)

/** Every error of the compiler, under the last expectation above it. Continuation lines are indented. */
const errors = stdout.split(/\n(?! )/).flatMap((text) => {
  const match = /^(\S+)\((\d+),\d+\): error (TS\d+): ([\s\S]*)$/.exec(text)
  if (match === null) return []
  const [, file, line, code, words] = match
  const above = expectations.filter((one) => one.line < Number(line)).at(-1)
  return [{ file: String(file), under: above?.line, code, words: String(words) }]
})

describe('what must not compile does not compile', () => {
  it.each(expectations)('line $line: $code $words', ({ line, code, words }) => {
    const here = errors.filter(({ under }) => under === line)
    expect(here.map((error) => error.code)).toEqual([code])
    expect(here[0]?.words).toContain(words)
  })

  it('and nothing else was refused', () => {
    expect(expectations.length).toBeGreaterThan(15)
    expect(errors.filter(({ file }) => !file.endsWith('illegal.case.ts'))).toEqual([])
    expect(errors).toHaveLength(expectations.length)
  })
})

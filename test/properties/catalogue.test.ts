/** The catalogue against the tests, both ways: what is listed is tested where it says, and what is tested is listed. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AREAS, PROPERTIES } from './catalogue.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const ID = new RegExp(
  `(?<=\\b(?:it|test)(?:\\.\\w+)*\\(\\s*['"\`])(?:${Object.keys(AREAS).join('|')})-\\d\\d(?=: )`,
  'g',
)

/** 'file id' for every test whose name begins with the id of a property. */
const tested = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .map((path) => `test/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.test.ts'))
  .flatMap((path) => [...readFileSync(join(ROOT, path), 'utf8').matchAll(ID)].map(([id]) => `${path} ${id}`))

describe('the catalogue of properties', () => {
  it('has every test that begins with an id, in its file, and each of its own is tested once', () => {
    expect(PROPERTIES.map(({ test, id }) => `${test} ${id}`).sort()).toEqual([...tested].sort())
  })

  it('gives no id twice, and numbers each area from 01 on', () => {
    for (const area of new Set(PROPERTIES.map((property) => property.area))) {
      const ids = PROPERTIES.filter((property) => property.area === area).map(({ id }) => id)
      expect(ids).toEqual(ids.map((_, index) => `${area}-${String(index + 1).padStart(2, '0')}`))
    }
  })

  it('says what holds in a sentence of its own, in an area that is known', () => {
    for (const { area, statement } of PROPERTIES) {
      expect(Object.keys(AREAS)).toContain(area)
      expect(statement).toMatch(/^[A-Z].*[.)]$/)
    }
    expect(new Set(PROPERTIES.map(({ statement }) => statement)).size).toBe(PROPERTIES.length)
  })

  it('has the properties of every file of catalogue/', () => {
    const files = readdirSync(join(import.meta.dirname, 'catalogue')).filter((name) => name !== 'property.ts')
    const text = readFileSync(join(import.meta.dirname, 'catalogue.ts'), 'utf8')
    for (const file of files) expect(text).toContain(`from './catalogue/${file}'`)
  })
})

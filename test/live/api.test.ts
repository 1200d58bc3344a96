/** docs/api.md is complete, and what it says is so: every example is run against PostgreSQL, and every value in it compared. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServer, type TestServer } from '../servers/server.ts'
import { blocksOf, Examples, readPage } from '../support/page.ts'

/** Sections by their heading, each with the examples in it. */
const SECTIONS = readPage('docs/api.md')
  .split(/^### /m)
  .slice(1)
  .map((section) => ({ title: section.slice(0, section.indexOf('\n')), examples: blocksOf(section, 'ts') }))

const EXPORTS = [...readPage('src/index.ts').matchAll(/\{([^}]*)\}/g)].flatMap(([, names]) =>
  String(names)
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== ''),
)

const examples = new Examples()
let server: TestServer

beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server?.stop()
  examples.remove()
})

describe('docs/api.md', () => {
  it('has every export, with an example', () => {
    const titles = SECTIONS.flatMap(({ title }) => title.split(', '))
    expect([...titles].sort()).toEqual([...EXPORTS].sort())
    for (const { title, examples: codes } of SECTIONS) {
      const unused = title.split(', ').filter((name) => !codes.some((code) => new RegExp(`\\b${name}\\b`).test(code)))
      expect(unused).toEqual([])
    }
  })

  it.each(SECTIONS.flatMap(({ title, examples: codes }) => codes.map((code) => ({ title, code }))))(
    '$title: the example is so',
    async ({ code }) => {
      for (const [seen, said] of await examples.run(code, server.url())) expect(seen).toEqual(said)
    },
  )
})

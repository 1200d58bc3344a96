import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { blocksOf, readPage } from './support/page.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGES = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'bench/README.md'],
  ...['docs/api.md', 'docs/hooks.md', 'docs/plug-in.md', 'docs/tour.md'],
]
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
const folder = mkdtempSync(join(tmpdir(), 'readme-'))

const YOUR_CLIENT = `
export class Client {
  constructor(options: Readonly<Record<string, string | number>>)
  connect(): Promise<void>
  end(): Promise<void>
}
`

afterAll(() => rmSync(folder, { recursive: true }))

describe('what a reader copies', () => {
  it('compiles under the strictest settings', () => {
    const examples = ['README.md', 'docs/hooks.md', 'docs/plug-in.md', 'docs/api.md'].flatMap((page) => {
      const found = blocksOf(readPage(page), 'ts')
      expect(found.length).toBeGreaterThan(1)
      // The API's examples are told whereto.
      return page === 'docs/api.md' ? found.map((code) => `declare const url: string\n${code}`) : found
    })
    // The client that a reader has.
    writeFileSync(join(folder, 'your-client.d.mts'), YOUR_CLIENT)
    for (const [index, code] of examples.entries())
      writeFileSync(join(folder, `example-${index}.mts`), `${code}\nexport {}\n`)
    const tsconfig = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        paths: {
          'pg-deadline': [join(ROOT, 'src/index.ts')],
          'pg-deadline/testing': [join(ROOT, 'src/testing/index.ts')],
          'pg-deadline/testing/arbitraries': [join(ROOT, 'src/testing/arbitraries/index.ts')],
          'your-client': [join(folder, 'your-client.d.mts')],
          'fast-check': [join(ROOT, 'node_modules/fast-check/lib/fast-check.d.ts')],
        },
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      include: ['*.mts', join(ROOT, 'src/protocol/buffer-layout.d.ts')],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    const { stdout } = spawnSync(process.execPath, [compiler, '--noEmit', '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
  })
})

describe('a link', () => {
  const links = PAGES.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      ([, to]) => [page, String(to)] as const,
    ),
  )

  it.each(links)('of %s leads somewhere: %s', (page, to) => {
    expect(existsSync(join(ROOT, dirname(page), to))).toBe(true)
  })
})

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

/** Every page of the documentation that is Markdown. */
const ALL_PAGES = [...new Set([...PAGES, ...markdownUnder('docs')])]

function markdownUnder(path: string): string[] {
  return readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(path, name))
}

/** Without what stands between fences: there it is no link and no heading. */
function proseOf(page: string): string {
  return readFileSync(page, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '')
}

/** As GitHub names them. */
function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe('a link', () => {
  const links = ALL_PAGES.flatMap((page) =>
    [...proseOf(join(ROOT, page)).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map(
      ([, inline, reference]) => [page, String(inline ?? reference)] as const,
    ),
  )
  const isOutside = (to: string) => /^https?:/.test(to)

  it.each(links.filter(([, to]) => !isOutside(to)))('of %s leads somewhere: %s', (page, to) => {
    const [path = '', anchor] = to.split('#')
    const target = path === '' ? join(ROOT, page) : join(ROOT, dirname(page), path)
    expect(existsSync(target)).toBe(true)
    if (anchor !== undefined && target.endsWith('.md')) expect(anchorsOf(target)).toContain(anchor)
  })

  it("into PostgreSQL's manual is by anchor", () => {
    const manual = links.map(([, to]) => to).filter((to) => /^https:\/\/www\.postgresql\.org\/docs\//.test(to))
    expect(manual.length).toBeGreaterThan(50)
    expect(manual.filter((to) => !to.includes('#'))).toEqual([])
  })
})

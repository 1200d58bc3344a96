/**
 * Pages that run: the examples of a Markdown page as modules, and what is said behind an expression (`one + one // 2`) compared with
 * what it is worth.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

export function readPage(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** What stands between fences of that language, in order. */
export function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, code]) =>
    String(code),
  )
}

/** An expression, and behind it in a comment what it is worth. */
const VALUE = /^(?!import|const|using)(?:;)?(.*\S) \/\/ (.+)$/

/** Runs examples. Modules of their own, inside the project so that they find what they import. */
export class Examples {
  readonly #folder: string
  #count = 0

  constructor() {
    const parent = join(ROOT, 'node_modules', '.cache')
    mkdirSync(parent, { recursive: true })
    this.#folder = mkdtempSync(join(parent, 'examples-'))
  }

  /** Run one, with `url` as a constant in it. What comes back is, for every value in a comment, what was seen and what was said. */
  async run(code: string, url = ''): Promise<readonly (readonly [seen: unknown, said: unknown])[]> {
    const pairs: [unknown, unknown][] = []
    this.#count += 1
    const path = join(this.#folder, `${this.#count}.ts`)
    Object.assign(globalThis, { pageExample: { url, check: (...pair: [unknown, unknown]) => pairs.push(pair) } })
    writeFileSync(path, `const { url, check } = globalThis.pageExample\n${instrument(code)}\nexport {}\n`)
    await import(/* @vite-ignore */ path)
    const said = code.split('\n').filter((line) => VALUE.test(line)).length
    if (pairs.length !== said) throw new Error(`${said} values are said, and ${pairs.length} were seen`)
    return pairs
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function instrument(code: string): string {
  return code
    .replaceAll("from 'pg-deadline'", `from ${JSON.stringify(join(ROOT, 'src', 'index.ts'))}`)
    .replaceAll("from '../src/", `from '${join(ROOT, 'src')}/`)
    .split('\n')
    .map((line) => line.replace(VALUE, (_, expression: string, value: string) => `check(${expression}, ${value})`))
    .join('\n')
}

/**
 * The linter enforces who may import whom, who may set a timer and who may look at a clock. Here it is put to the proof: a
 * rule that no longer bites fails a test, and so does one that bites what is lawful.
 *
 * Each program below stands, as far as the linter can tell, where its name says. A line after a comment `//= rule` breaks
 * that rule and no other; every other line is lawful.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** What speaks to the world, tells the time, or is one file's own business. */
const WORLD = [
  ...['node:net', 'node:tls', 'node:dns', 'node:dns/promises', 'node:http', 'node:https', 'node:http2', 'node:dgram'],
  ...['node:timers', 'node:timers/promises', 'node:perf_hooks', 'buffer-layout', '@mongodb-js/saslprep'],
]
  .map((name) => `//= style/noRestrictedImports\nexport * from '${name}'`)
  .join('\n')

const PROGRAMS: Readonly<Record<string, string>> = {
  'src/protocol/imports.ts': `
    export * from './frame.ts'
    //= style/noRestrictedImports
    export * from '../auth/md5.ts'
    //= style/noRestrictedImports
    export type { StateName } from '../state/handshake/table.ts'
    //= style/noRestrictedImports
    export * from '../net/deadline.ts'
    //= style/noRestrictedImports
    export * from '../config/target.ts'
    //= style/noRestrictedImports
    export * from '../wire.ts'
    //= style/noRestrictedImports
    export * from '../../src/wire.ts'
    //= style/noRestrictedImports
    export const later = import('../session.ts')
    //= style/noRestrictedImports
    export * from 'buffer-layout'
    //= style/noRestrictedImports
    export * from 'node:net'
    //= style/noRestrictedImports
    export * from 'node:tls'
    //= style/noRestrictedImports
    export * from 'node:dns/promises'
    //= style/noRestrictedImports
    export * from 'node:fs'
    //= style/noRestrictedImports
    export * from 'node:timers/promises'
    //= style/noRestrictedImports
    export * from 'node:child_process'
    //= style/noRestrictedImports
    export * from 'node:crypto'
  `,
  'src/protocol/layout.ts': `
    export * from 'buffer-layout'
    export * from './failure.ts'
    //= style/noRestrictedImports
    export * from '../auth/md5.ts'
    //= style/noRestrictedImports
    export * from 'node:net'
    //= suspicious/noExplicitAny
    export type Anything = any
  `,
  'src/auth/imports.ts': `
    export * from './md5.ts'
    export * from '../protocol/failure.ts'
    export * from '@mongodb-js/saslprep'
    export { createHash, createHmac, timingSafeEqual } from 'node:crypto'
    //= style/noRestrictedImports
    export { pbkdf2 } from 'node:crypto'
    //= style/noRestrictedImports
    export { createHash as hash, randomBytes } from 'node:crypto'
    //= style/noRestrictedImports
    export * as crypto from 'node:crypto'
    //= style/noRestrictedImports
    export * from '../state/machine.ts'
    //= style/noRestrictedImports
    export type { Transport } from '../net/transport.ts'
    //= style/noRestrictedImports
    export * from '../config/target.ts'
    //= style/noRestrictedImports
    export * from '../session.ts'
    //= style/noRestrictedImports
    export * from 'buffer-layout'
    //= style/noRestrictedImports
    export * from 'node:fs'
    //= style/noRestrictedImports
    export * from 'node:timers'
  `,
  'src/state/imports.ts': `
    export * from './machine.ts'
    export * from './handshake/table.ts'
    export * from '../protocol/failure.ts'
    export * from '../auth/md5.ts'
    //= style/noRestrictedImports
    export type { Transport } from '../net/transport.ts'
    //= style/noRestrictedImports
    export * from '../config/target.ts'
    //= style/noRestrictedImports
    export * from '../wire.ts'
    //= style/noRestrictedImports
    export * from 'node:crypto'
    //= style/noRestrictedImports
    export * from 'node:net'
    //= style/noRestrictedImports
    export * from 'node:timers/promises'
    //= style/noRestrictedImports
    export * from '@mongodb-js/saslprep'
  `,
  'src/state/session/imports.ts': `
    export * from './table.ts'
    export * from '../machine.ts'
    export * from '../handshake/table.ts'
    export * from '../../protocol/failure.ts'
    export * from '../../auth/md5.ts'
    //= style/noRestrictedImports
    export * from '../../net/deadline.ts'
    //= style/noRestrictedImports
    export * from '../../config/target.ts'
    //= style/noRestrictedImports
    export * from '../../wire.ts'
    //= style/noRestrictedImports
    export * from 'node:dns'
    //= style/noRestrictedImports
    export * from 'node:fs'
  `,
  'src/state/handshake/imports.ts': `
    export * from './table.ts'
    export * from '../session/table.ts'
    //= style/noRestrictedImports
    export * from '../../net/deadline.ts'
  `,
  'src/net/imports.ts': `
    export * from 'node:net'
    export * from 'node:tls'
    export * from 'node:dns'
    export * from 'node:crypto'
    export * from './deadline.ts'
    export * from '../protocol/failure.ts'
    export * from '../auth/secret.ts'
    export * from '../state/machine.ts'
    export * from '../state/handshake/table.ts'
    //= style/noRestrictedImports
    export * from 'node:timers'
    //= style/noRestrictedImports
    export * from 'node:timers/promises'
    //= style/noRestrictedImports
    export * from 'node:perf_hooks'
    //= style/noRestrictedImports
    export * from '../config/target.ts'
    //= style/noRestrictedImports
    export * from '../connect.ts'
    //= style/noRestrictedImports
    export * from 'buffer-layout'
    //= style/noRestrictedGlobals
    export const timer = setTimeout(() => {}, 1)
  `,
  'src/config/imports.ts': `
    export * from 'node:fs'
    export * from 'node:fs/promises'
    export * from 'node:os'
    export * from 'node:path'
    export * from './target.ts'
    export * from '../protocol/failure.ts'
    export * from '../auth/secret.ts'
    export { isIpAddress } from '../net/endpoint.ts'
    //= style/noRestrictedImports
    export * from '../state/machine.ts'
    //= style/noRestrictedImports
    export * from '../connect.ts'
    //= style/noRestrictedImports
    export * from 'node:net'
    //= style/noRestrictedImports
    export * from 'node:child_process'
    //= style/noRestrictedImports
    export * from 'buffer-layout'
  `,
  'src/root.ts': `
    export * from 'node:crypto'
    export * from './protocol/frame.ts'
    export * from './state/handshake/table.ts'
    export * from './net/deadline.ts'
    //= style/useNodejsImportProtocol
    export * from 'net'
    //= style/noRestrictedImports
    export * from '../test/servers/server.ts'
${WORLD}
  `,
  'src/cli/imports.ts': `
    export * from '../index.ts'
    export * from '../net/deadline.ts'
    export * from 'node:fs'
${WORLD}
  `,
  'src/testing/imports.ts': `
    export * from '../index.ts'
    export * from '../net/transport.ts'
    export * from 'node:net'
    export * from 'node:tls'
    //= style/noRestrictedImports
    export * from 'node:dns'
    //= style/noRestrictedImports
    export * from 'node:http'
    //= style/noRestrictedImports
    export * from 'node:timers/promises'
    //= style/noRestrictedImports
    export * from 'node:perf_hooks'
    //= style/noRestrictedImports
    export * from 'buffer-layout'
    //= style/noRestrictedGlobals
    export const timer = setTimeout(() => {}, 1)
  `,
  'src/clocks.ts': `
    export const now = (clock: { now: () => number }, signal: AbortSignal) => [clock.now(), signal.aborted, Math.max(1, 2)]
    //= style/noRestrictedGlobals
    export const timeout = setTimeout(() => {}, 1)
    //= style/noRestrictedGlobals
    export const interval = setInterval(() => {}, 1)
    //= style/noRestrictedGlobals
    export const immediate = setImmediate(() => {})
    //= style/noRestrictedGlobals
    export const date = Date.now()
    //= style/noRestrictedGlobals
    export const today = new Date()
    //= style/noRestrictedGlobals
    export const monotonic = performance.now()
    //= nursery/noJsRestrictedProperties
    export const hidden = globalThis.setTimeout(() => {}, 1)
    //= nursery/noJsRestrictedProperties
    export const precise = process.hrtime.bigint()
    //= nursery/noJsRestrictedProperties
    export const age = process.uptime()
    //= nursery/noJsRestrictedProperties
    export const composite = AbortSignal.any([])
    //= nursery/noJsRestrictedProperties
    export const expiring = AbortSignal.timeout(1)
    //= nursery/noJsRestrictedProperties
    export const { any } = AbortSignal
    //= nursery/noJsRestrictedProperties
    export const dice = Math.random()
  `,
  'src/net/deadline.ts': `
    export const timer = setTimeout(() => {}, 1)
    export const monotonic = performance.now()
    //= style/noRestrictedImports
    export * from 'node:timers'
  `,
  'src/auth/ambient.ts': `
    export const bytes = Buffer.from([1])
    //= style/noRestrictedGlobals
    export const environment = process.env
    //= style/noRestrictedGlobals
    export const nonce = crypto.getRandomValues(bytes)
    //= style/noRestrictedGlobals
    export const page = fetch
    //= style/noRestrictedGlobals
    export const socket = WebSocket
    //= style/noRestrictedGlobals
    export const timeout = setTimeout(() => {}, 1)
    //= style/noRestrictedGlobals
    export const interval = setInterval(() => {}, 1)
    //= style/noRestrictedGlobals
    export const immediate = setImmediate(() => {})
    //= style/noRestrictedGlobals
    export const date = Date.now()
    //= style/noRestrictedGlobals
    export const monotonic = performance.now()
  `,
  'src/manners.ts': `
    export async function wait(): Promise<void> {}
    export const waited = async () => { await wait() }
    //= style/noDefaultExport
    export default 1
    //= style/noCommonJs
    export const net = require('node:net')
    //= suspicious/noExplicitAny
    export type Anything = any
    //= suspicious/noConsole
    console.log('hello')
    //= nursery/noFloatingPromises
    export function forget() { wait() }
    //= nursery/noMisusedPromises
    if (wait()) void 0
  `,
  'src/circle-one.ts': `
    //= suspicious/noImportCycles
    import { two } from './circle-two.ts'
    export const one = () => two
  `,
  'src/circle-two.ts': `
    //= suspicious/noImportCycles
    import { one } from './circle-one.ts'
    export const two = () => one
  `,
}

const root = join(import.meta.dirname, '..')

describe('the linter', () => {
  let verdicts: ReadonlyMap<string, readonly string[]>
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'structure-'))
    cpSync(join(root, 'biome.json'), join(directory, 'biome.json'))
    for (const [name, text] of Object.entries(PROGRAMS)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true })
      writeFileSync(join(directory, name), text)
    }
    verdicts = lint(directory)
  })

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it.each(Object.entries(PROGRAMS))('finds in %s what is unlawful, and nothing else', (name, text) => {
    expect(verdicts.get(name) ?? []).toEqual(expectations(text))
  })
})

/** `line: rule` for every line that should be refused. */
function expectations(text: string): string[] {
  const found: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const rule = line.split('//= ')[1]
    // Numbers begin with 1, and the comment stands one line above.
    if (rule !== undefined) found.push(`${index + 2}: ${rule.trim()}`)
  }
  return found
}

/** By file, `line: rule` for every line that is refused. */
function lint(directory: string): Map<string, string[]> {
  const verdicts = new Map<string, string[]>()
  for (const [, rule, file, line] of runLinter(directory).matchAll(
    /^::\w+ title=(?:lint\/)?([^,]+),file=([^,]+),line=(\d+)/gm,
  )) {
    const name = relative(directory, resolve(directory, file ?? ''))
    const verdict = `${line}: ${rule}`
    const found = verdicts.get(name) ?? []
    if (!found.includes(verdict)) found.push(verdict)
    verdicts.set(name, found)
  }
  for (const found of verdicts.values()) found.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  return verdicts
}

function runLinter(directory: string): string {
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')
  const parameters = [biome, 'lint', '--reporter=github', '--diagnostic-level=error', '--max-diagnostics=none', '.']
  try {
    execFileSync(process.execPath, parameters, { cwd: directory, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
  throw new Error('the linter finds nothing wrong with any program: is biome.json without its rules?')
}

describe('the sources', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name: name.replaceAll('\\', '/'), text: readFileSync(join(root, 'src', name), 'utf8') }))

  // What the linter cannot see: import('...').Type, and a path that is computed.
  it('import by declaration only', () => {
    const offenders = sources.filter(({ text }) => /\bimport\s*\(/.test(withoutComments(text)))
    expect(offenders.map(({ name }) => name)).toEqual([])
  })

  // The linter knows where an import comes from, not whether it is for types only.
  // endpoint.ts opens nothing: what it exports besides the type only looks at a text.
  it('of config take only types from net, but for whether a text is an address', () => {
    const imports = sources
      .filter(({ name }) => name.startsWith('config/'))
      .flatMap(
        ({ text }) => withoutComments(text).match(/^(?:import|export)\b[^'"]*['"][^'"]*\/net\/[^'"]*['"]/gm) ?? [],
      )
    expect(imports).not.toEqual([])
    expect(imports.filter((line) => !/^(?:import|export) type\b/.test(line))).toEqual([
      "import { isIpAddress } from '../net/endpoint.ts'",
    ])
  })

  it('lift no rule of structure for a line', () => {
    const lifted = sources.flatMap(({ text }) => text.match(/biome-ignore.*/g) ?? [])
    const structural =
      /noRestricted|noJsRestricted|noImportCycles|noDefaultExport|noExplicitAny|noConsole|Promises|lint[ :]/
    expect(lifted.filter((line) => structural.test(line))).toEqual([])
  })
})

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/gm, '')
}

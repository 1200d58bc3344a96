/**
 * What will be published, looked at as its users see it: the files, their source maps, their types. `npm run check:package`
 *
 * publint and attw look at package.json and at how modules are resolved; this looks at what stands in the files.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type Installation, installPackage, PROJECT, run } from './installation.ts'

const { devDependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
  devDependencies: { typescript: string; '@types/node': string; 'fast-check': string }
}

/** The one folder whose files may need fast-check. */
const ARBITRARIES = 'dist/testing/arbitraries/'

const IMPORT_ARBITRARIES = `
import fc from 'fast-check'
import { arbitraryHandshake } from 'pg-deadline/testing/arbitraries'`

/** A user's program: the types must hold without skipLibCheck, and with no types installed but Node's. */
const PROGRAM = `
import { connect, Deadline, HandshakeError, type QueryResult, type Session, type StateName, type Timeline } from 'pg-deadline'

import { ATTACKS, HostileServer, type Script } from 'pg-deadline/testing'

export async function ask(url: string, signal: AbortSignal): Promise<readonly QueryResult[]> {
  const session: Session = await connect(url, { timeoutMs: 3_000, signal })
  try {
    return await session.query('select 1 as one', { signal })
  } finally {
    await session.close()
  }
}

export function phaseOf(error: unknown): StateName | null {
  return error instanceof HandshakeError ? error.phase : null
}

const script: Script = async (peer) => peer.sendBytes('S')
export const server: Promise<HostileServer> = HostileServer.listen(ATTACKS[0]?.script ?? script)
export const timelineOf = (error: HandshakeError): Timeline => error.timeline
export const deadline: Deadline = new Deadline({ timeoutMs: 1_000 })

// @ts-expect-error If this were allowed, the types would have decayed into any.
export const wrong: number = await connect('postgres://localhost')
`

/** The same of a user who also has fast-check, which nothing but the arbitraries may need. */
const PROPERTIES_PROGRAM = `
import fc from 'fast-check'
import { encodeBackend } from 'pg-deadline/testing'
import { arbitraryBackendMessage, arbitraryHandshake, type Handshake } from 'pg-deadline/testing/arbitraries'

fc.assert(fc.property(arbitraryBackendMessage(), (message) => encodeBackend(message).length >= 5))
export const [handshake]: Handshake[] = fc.sample(arbitraryHandshake(), 1)

// @ts-expect-error If this were allowed, the types would have decayed into any.
export const wrong: fc.Arbitrary<number> = arbitraryHandshake()
`

const problems: string[] = []
{
  await using installation = await installPackage([
    `typescript@${devDependencies.typescript}`,
    `@types/node@${devDependencies['@types/node']}`,
  ])
  const { packageDirectory } = installation
  const files = readdirSync(packageDirectory, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(packageDirectory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((name) => !name.startsWith('node_modules/'))
  checkFiles(files)
  checkMaps(packageDirectory, files)
  checkDeclarations(packageDirectory, files)
  await checkUser(installation, 'program.ts', PROGRAM)
  await checkWithout(installation)
  const { directory } = installation
  await run('npm', ['install', '--no-audit', '--no-fund', `fast-check@${devDependencies['fast-check']}`], directory)
  await checkUser(installation, 'properties.ts', PROPERTIES_PROGRAM)
  await checkRuns(installation, `${IMPORT_ARBITRARIES}; fc.assert(fc.property(arbitraryHandshake(), () => true))`)
  if (problems.length === 0) console.log(`the package is in order: ${files.length} files`)
}
for (const problem of problems) console.error(`package: ${problem}`)
if (problems.length > 0) process.exitCode = 1

/** The sources, what was made of each of them, and the papers; nothing stale and nothing private. */
function checkFiles(files: readonly string[]): void {
  const sources = files.filter((name) => name.startsWith('src/') && !name.endsWith('.d.ts'))
  const expected = new Set([
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    ...files.filter((name) => /^src\/.*\.d\.ts$/.test(name)),
    ...sources,
    ...sources.flatMap((name) => {
      const stem = name.replace(/^src\//, 'dist/').replace(/\.ts$/, '')
      return [`${stem}.js`, `${stem}.js.map`, `${stem}.d.ts`, `${stem}.d.ts.map`]
    }),
  ])
  for (const name of expected) if (!files.includes(name)) problems.push(`${name} is missing`)
  for (const name of files) if (!expected.has(name)) problems.push(`${name} should not be published`)
}

/** A debugger that follows a source map must arrive at a file that was shipped. */
function checkMaps(packageDirectory: string, files: readonly string[]): void {
  for (const name of files.filter((file) => file.endsWith('.map'))) {
    const { sources } = JSON.parse(readFileSync(join(packageDirectory, name), 'utf8')) as { sources: string[] }
    if (sources.length === 0) problems.push(`${name} leads nowhere`)
    for (const source of sources) {
      const target = relative(packageDirectory, resolve(packageDirectory, dirname(name), source)).replaceAll('\\', '/')
      if (!files.includes(target)) problems.push(`${name} leads to ${target}, which is not shipped`)
    }
  }
}

/** The types need Node's and nothing else, those of the arbitraries fast-check's as well; that layouts are made with buffer-layout is nobody's business. */
function checkDeclarations(packageDirectory: string, files: readonly string[]): void {
  const seen = new Set<string>()
  const waiting = ['dist/index.d.ts', 'dist/testing/index.d.ts', `${ARBITRARIES}index.d.ts`]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    if (!existsSync(join(packageDirectory, name))) {
      problems.push(`${name} is imported by a declaration and is not shipped`)
      continue
    }
    const text = readFileSync(join(packageDirectory, name), 'utf8')
    if (text.includes('buffer-layout')) problems.push(`${name} mentions buffer-layout`)
    if (/^\/\/\/\s*<reference path/m.test(text)) problems.push(`${name} refers to a file by path`)
    for (const [, specifier = ''] of text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)) {
      if (specifier.startsWith('.'))
        waiting.push(join(dirname(name), specifier.replace(/\.[jt]s$/, '.d.ts')).replaceAll('\\', '/'))
      else if (specifier === 'fast-check' && name.startsWith(ARBITRARIES)) continue
      else if (!specifier.startsWith('node:')) problems.push(`${name} needs the types of ${specifier}`)
    }
  }
  if (seen.size < 3) problems.push(`of ${files.length} files only the entries are within reach`)
}

/** Where nobody has asked for fast-check, npm must not have brought it, and all but the arbitraries must do without. */
async function checkWithout(installation: Installation): Promise<void> {
  if (existsSync(join(installation.directory, 'node_modules', 'fast-check'))) {
    problems.push('fast-check is installed though nobody asked for it')
  }
  await checkRuns(installation, "await import('pg-deadline'); await import('pg-deadline/testing')")
}

async function checkRuns({ directory }: Installation, program: string): Promise<void> {
  try {
    await run(process.execPath, ['--input-type=module', '--eval', program], directory)
  } catch (error) {
    problems.push(`a user's program does not run. ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function checkUser({ directory }: Installation, file: string, program: string): Promise<void> {
  await writeFile(join(directory, file), program)
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  }
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  try {
    await run(
      process.execPath,
      [join(directory, 'node_modules', 'typescript', 'bin', 'tsc'), '--pretty', 'false'],
      directory,
    )
  } catch (error) {
    problems.push(`a user's program does not compile. ${error instanceof Error ? error.message : String(error)}`)
  }
}

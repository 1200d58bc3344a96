/**
 * Names every platform's packages in package-lock.json: `npm run complete-lock`, after a change of the dependencies.
 *
 * A registry mirror may hold the packages of one platform only. npm then leaves the optional dependencies of all others
 * out of the lock, and `npm ci` refuses what npm itself has just written. What is added here has a version and says for
 * which machine it is; its hash cannot be known from here, and npm adds it where the package can be had.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface LockedPackage {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openbsd', 'netbsd', 'openharmony', 'win32', 'sunos', 'aix']
const PROCESSORS = ['arm64', 'x64', 'arm', 'ppc64', 'riscv64', 's390x', 'loong64', 'ia32']

const path = join(import.meta.dirname, '..', 'package-lock.json')
const lock: { packages: Record<string, LockedPackage> } = JSON.parse(readFileSync(path, 'utf8'))
const { packages } = lock

let added = 0
for (const [place, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isInstalledFor(place, name)) continue
    packages[`node_modules/${name}`] = describeMissing(name, version, dev === true)
    added += 1
  }
}

const { '': root, ...others } = packages
lock.packages = { ...(root && { '': root }), ...Object.fromEntries(Object.entries(others).sort(byPlace)) }
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${added} packages of other platforms added`)

/** Node's own search: below the package that asks, then in every folder above it. */
function isInstalledFor(place: string, name: string): boolean {
  const folders = place.split('/node_modules/')
  return (
    folders.some((_, above) => {
      const base = folders.slice(0, folders.length - above).join('/node_modules/')
      return (base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`) in packages
    }) || `node_modules/${name}` in packages
  )
}

function describeMissing(name: string, version: string, dev: boolean): LockedPackage {
  const base = name.split('/').at(-1) ?? name
  const system = SYSTEMS.find((one) => base.includes(one))
  const processor = PROCESSORS.find((one) => new RegExp(`-${one}($|-)`).test(base))
  if (system === undefined || processor === undefined || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(`${name}@${version} is not in the lock, and its name does not say for which platform it is`)
  }
  const libc = base.includes('musl') ? 'musl' : system === 'linux' && base.includes('gnu') ? 'glibc' : undefined
  return {
    version,
    cpu: [processor],
    ...(dev && { dev }),
    ...(libc && { libc: [libc] }),
    optional: true,
    os: [system],
  }
}

function byPlace([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}

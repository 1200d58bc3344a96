/** The version of a package that is installed here. Not every package lets its package.json be imported. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

export function installedVersion(name: string): string {
  const folder = (require.resolve.paths(name) ?? []).find((one) => existsSync(join(one, name)))
  return JSON.parse(readFileSync(join(String(folder), name, 'package.json'), 'utf8')).version
}

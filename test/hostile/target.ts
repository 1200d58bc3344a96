/** An attack's target in full: its parameters, with the file that its authority stands in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Attack, AUTHORITY_FILE, authority, BASE } from '../../src/testing/index.ts'

export function targetOf({ target }: Attack, authorityFile: string): Record<string, string> {
  const entries = Object.entries({ ...BASE, ...target })
  return Object.fromEntries(entries.map(([name, value]) => [name, value === AUTHORITY_FILE ? authorityFile : value]))
}

/** Write the authority of the catalogue's servers where a client can be told to find it. */
export function writeAuthority(): { readonly file: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'hostile-'))
  const file = join(directory, 'authority.crt')
  writeFileSync(file, authority().certificate)
  return { file, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

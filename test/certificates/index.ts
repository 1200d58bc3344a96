/** The certificates of this folder: where they are, and what they say. `make.sh` has made them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The path of a file, for sslrootcert and its like. A key is a copy that only its owner can read, as it must be. */
export function pathOf(file: string): string {
  if (!file.endsWith('.key')) return here(file)
  keys ??= openKeys()
  const copy = join(keys, file)
  if (!existsSync(copy)) writeFileSync(copy, read(file), { mode: 0o600 })
  return copy
}

export function read(file: string): string {
  return readFileSync(here(file), 'utf8')
}

let keys: string | undefined

function openKeys(): string {
  const directory = mkdtempSync(join(tmpdir(), 'pg-deadline-keys-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function here(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}

/** What opens client-encrypted.key. */
export const KEY_PASSWORD = 'open sesame'

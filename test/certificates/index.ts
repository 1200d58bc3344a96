/** The certificates of this folder: where they are, and what they say. `make.sh` has made them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The path of a file, for sslrootcert and its like. */
export function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}

export function read(file: string): string {
  return readFileSync(pathOf(file), 'utf8')
}

/** What opens client-encrypted.key. */
export const KEY_PASSWORD = 'open sesame'

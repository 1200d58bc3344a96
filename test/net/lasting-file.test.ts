import { promises as files, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLastingFiles, type ReadLasting } from '../../src/net/lasting-file.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const { signal } = new AbortController()

let directory: string
let path: string
let clock: VirtualClock
let read: ReadLasting
let reads: { readonly mock: object }

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pg-deadline-files-'))
  path = join(directory, 'ca.crt')
  writeFileSync(path, 'one')
  clock = new VirtualClock()
  read = createLastingFiles(clock)
  reads = vi.spyOn(files, 'readFile')
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

async function now(of = path): Promise<string> {
  return String(await read(of, statSync(of, { bigint: true }), signal))
}

/** In another tick of the file system's clock than before. */
function rewrite(text: string): void {
  const { ctimeNs } = statSync(path, { bigint: true })
  do writeFileSync(path, text)
  while (statSync(path, { bigint: true }).ctimeNs === ctimeNs)
}

describe('a file that hardly ever changes', () => {
  it('is opened no more once it has been the same for three seconds', async () => {
    expect(await now()).toBe('one')
    clock.advance(2_999)
    expect(await now()).toBe('one')
    expect(reads).toHaveBeenCalledTimes(2)
    clock.advance(1)
    expect([await now(), await now(), await now()]).toEqual(['one', 'one', 'one'])
    expect(reads).toHaveBeenCalledTimes(3)
  })

  it('counts as it is at the next read, however it has changed', async () => {
    const whole = new Date(1_700_000_000_000)
    utimesSync(path, whole, whole)
    await now()
    clock.advance(3_000)
    await now()

    // As long as before, and with the time of its last change set back: the change itself has a time that nobody can set.
    rewrite('two')
    utimesSync(path, whole, whole)
    expect(statSync(path).mtime).toEqual(whole)
    expect(await now()).toBe('two')
    clock.advance(3_000)
    expect(await now()).toBe('two')

    // Another one in its place.
    rmSync(path)
    writeFileSync(path, 'six')
    expect(await now()).toBe('six')
  })

  it('is read again for three seconds, in which it may be written twice in one tick of its clock', async () => {
    const stats = statSync(path, { bigint: true })
    expect(String(await read(path, stats, signal))).toBe('one')
    writeFileSync(path, 'two')
    expect(String(await read(path, stats, signal))).toBe('two')
    clock.advance(3_000)
    writeFileSync(path, 'six')
    expect(String(await read(path, stats, signal))).toBe('six')
  })

  it.each([
    ['has a private key', '-----BEGIN ENCRYPTED PRIVATE KEY-----'],
    ['is huge', ' '.repeat(2 ** 20 + 1)],
  ])('is read every time if it %s', async (_what, text) => {
    writeFileSync(path, text)
    for (let index = 0; index < 3; index += 1) {
      await now()
      clock.advance(3_000)
    }
    expect(reads).toHaveBeenCalledTimes(3)
  })

  it('is one of sixteen', async () => {
    await now()
    clock.advance(3_000)
    await now()
    for (let index = 0; index < 16; index += 1) {
      const other = join(directory, String(index))
      writeFileSync(other, 'other')
      await now(other)
    }
    await now()
    expect(reads).toHaveBeenCalledTimes(2 + 16 + 1)
  })

  it('is not kept if it cannot be read', async () => {
    const stats = statSync(path, { bigint: true })
    rmSync(path)
    await expect(read(path, stats, signal)).rejects.toMatchObject({ code: 'ENOENT' })
    clock.advance(3_000)
    await expect(read(path, stats, signal)).rejects.toMatchObject({ code: 'ENOENT' })
    writeFileSync(path, 'two')
    expect(String(await read(path, stats, signal))).toBe('two')
  })

  it('is not waited for once the signal is aborted', async () => {
    const caller = new AbortController()
    caller.abort(new Error('enough'))
    await expect(read(path, statSync(path, { bigint: true }), caller.signal)).rejects.toMatchObject({
      name: 'AbortError',
    })
  })
})

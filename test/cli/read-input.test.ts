import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/cli/capture.ts'
import { readInput } from '../../src/cli/read-input.ts'
import { fakeIo } from './fake-io.ts'

const MEGABYTE = 1024 * 1024
const LIMIT = 64 * MEGABYTE

describe('what is read', () => {
  it('is a file, or stdin, to its end', async () => {
    const stdin = (async function* () {
      yield 'one, '
      yield Buffer.from('two')
    })()
    expect(String(await readInput({ ...fakeIo({ stdin: '' }), stdin }, '-'))).toBe('one, two')
    expect(String(await readInput(fakeIo({ files: { file: 'three' } }), 'file'))).toBe('three')
  })

  it('may be so long and no longer', async () => {
    const io = (length: number) => ({ ...fakeIo(), readFile: async () => Buffer.alloc(length) })
    await expect(readInput(io(LIMIT), 'file')).resolves.toHaveLength(LIMIT)
    await expect(readInput(io(LIMIT + 1), 'file')).rejects.toThrow(
      new InputError('file', `longer than ${LIMIT} bytes, which is as much as is read`),
    )
  })

  it('from a stdin without end is not waited for', async () => {
    let chunks = 0
    const endless = (async function* () {
      for (; chunks < 200; chunks += 1) yield Buffer.alloc(MEGABYTE)
    })()
    const io = { ...fakeIo({ stdin: '' }), stdin: endless }
    await expect(readInput(io, '-')).rejects.toThrow(/^stdin: longer than/)
    expect(chunks).toBeLessThan(70)
  })

  it('ends at Ctrl-C', async () => {
    const reason = new Error('Ctrl-C')
    const io = fakeIo({ stdin: 'bytes', signal: AbortSignal.abort(reason) })
    await expect(readInput(io, '-')).rejects.toBe(reason)
  })
})

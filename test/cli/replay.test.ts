import { describe, expect, it } from 'vitest'
import { writeCapture } from '../../src/cli/capture-file.ts'
import { replay } from '../../src/cli/replay.ts'
import { captureOf } from './captures.ts'
import { fakeIo, type Given } from './fake-io.ts'

const files = { capture: writeCapture(captureOf('trust')) }

async function run(args: readonly string[], given: Given = { files }) {
  const io = fakeIo(given)
  return { code: await replay(args, io), out: io.out(), err: io.err() }
}

describe('replay', () => {
  it('shows a capture, from a file and from stdin', async () => {
    const { code, out } = await run(['capture'])
    expect(code).toBe(0)
    expect(out).toContain('StartupMessage')
    expect(await run(['-'], { stdin: files.capture })).toMatchObject({ code: 0, out })
  })

  it('takes its time if it is asked to', async () => {
    expect(await run(['--speed', '10', 'capture'])).toMatchObject({ code: 0, out: (await run(['capture'])).out })
  })

  it('ends at Ctrl-C, in the midst of a pause too', async () => {
    const controller = new AbortController()
    const shown = run(['--speed', '0.0001', 'capture'], { files, signal: controller.signal })
    controller.abort(new Error('Ctrl-C'))
    expect(await shown).toMatchObject({ code: 130, err: '' })
    expect(await run(['capture'], { files, signal: AbortSignal.abort(new Error('Ctrl-C')) })).toMatchObject({
      code: 130,
    })
  })

  it.each<[readonly string[], string]>([
    [[], 'expected one capture, got 0'],
    [['one', 'two'], 'expected one capture, got 2'],
    [['nowhere'], 'nowhere: ENOENT'],
    [['--speed', '0', 'capture'], '--speed: expected a number above 0, got 0'],
    [['--speed', '', 'capture'], '--speed: expected a number above 0, got '],
    [['--speed', 'fast', 'capture'], '--speed: expected a number above 0, got fast'],
    [['--format', 'xml', 'capture'], '--format: expected'],
  ])('says what is wrong with %j', async (args, problem) => {
    const { code, err, out } = await run(args)
    expect(err).toContain(`pg-deadline replay: ${problem}`)
    expect({ code, out }).toEqual({ code: 3, out: '' })
  })

  it('refuses what is no capture', async () => {
    expect(await run(['-'], { stdin: '52 00' })).toMatchObject({
      code: 3,
      err: 'pg-deadline replay: line 1: expected a JSON object, got 52 00\n',
    })
  })

  it('is helped, in lines that fit', async () => {
    const { code, out } = await run(['-h'])
    expect(code).toBe(0)
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
  })
})

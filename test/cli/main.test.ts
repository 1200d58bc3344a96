/** Which command it is, and what is said to whoever has called it wrongly. */
import { describe, expect, it } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { lawful } from '../support/scripted-server.ts'
import { worldWith } from './network-io.ts'

describe('pg-deadline', () => {
  it.each(['trace', 'ping', 'doctor', 'decode', 'replay'])('%s --help tells of it', async (name) => {
    const { io, out, err } = worldWith(lawful())
    expect(await main([name, '--help'], io, '1.2.3')).toBe(0)
    expect(out()).toContain(`Usage: pg-deadline ${name}`)
    expect(out()).toContain('Exit codes')
    expect(
      Math.max(
        ...out()
          .split('\n')
          .map(({ length }) => length),
      ),
    ).toBeLessThanOrEqual(80)
    expect(err()).toBe('')
  })

  it.each(['trace', 'ping', 'doctor'])('%s -? does too, as for the programs of libpq', async (name) => {
    const { io, out } = worldWith(lawful())
    expect(await main([name, '-?'], io, '1.2.3')).toBe(0)
    expect(out()).toContain(`Usage: pg-deadline ${name}`)
  })

  it('tells of its commands, and its version', async () => {
    const { io, out } = worldWith(lawful())
    expect(await main(['--help'], io, '1.2.3')).toBe(0)
    expect(out()).toMatch(/trace .*ping .*doctor .*decode .*replay /s)
    const version = worldWith(lawful())
    expect(await main(['--version'], version.io, '1.2.3')).toBe(0)
    expect(version.out()).toBe('pg-deadline 1.2.3\n')
  })

  it.each([
    [[], 'pg-deadline: there is no command; there are trace, ping, doctor, decode, replay'],
    [['toString'], "pg-deadline: there is no command 'toString'; there are"],
  ])('%j is no command', async (args, message) => {
    const { io, out, err } = worldWith(lawful())
    expect(await main(args, io, '1.2.3')).toBe(3)
    expect(err()).toContain(message)
    expect(out()).toBe('')
  })
})

/** doctor and its one deadline: which exit code it is, and that what was cut off is not taken for the server's fault. */
import { describe, expect, it } from 'vitest'
import { doctor } from '../../src/cli/doctor/doctor.ts'
import { ScriptedServer } from '../support/scripted-server.ts'
import { settle, type VirtualClock } from '../support/virtual-clock.ts'
import { worldWith } from './network-io.ts'

const WHERETO = ['postgres://db.example/app?sslmode=disable', '--timeout', '1s', '--json']

async function waitFor(ms: number, server: ScriptedServer) {
  const { io, out, err } = worldWith(server)
  const examining = doctor(WHERETO, io)
  await settle()
  const clock = io.runtime.clock as VirtualClock
  clock.advance(ms)
  await settle()
  clock.advance(0)
  const code = await examining
  expect(err()).toBe('')
  return { code, report: JSON.parse(out()) as { sections: { title: string; findings: { found: string }[] }[] } }
}

describe('doctor', () => {
  it('a server that says nothing until the deadline gave no answer: nobody aborted', async () => {
    const { code, report } = await waitFor(1_000, new ScriptedServer(() => {}))
    expect(code).toBe(2)
    const found = report.sections.flatMap(({ findings }) => findings.map((finding) => finding.found))
    expect(found).toContainEqual(
      'the deadline of 1000 ms passed in AwaitingAuthentication, waiting for the server to say how it wants us to authenticate',
    )
  })

  it('a question that the deadline cut off has no answer', async () => {
    const fields = [
      { code: 'S', value: 'FATAL' },
      { code: 'C', value: '28000' },
      { code: 'M', value: 'no pg_hba.conf entry' },
    ]
    // SSLRequest is never answered.
    const server = new ScriptedServer((self, { type }) => {
      if (type === 'StartupMessage') self.send({ type: 'ErrorResponse', fields })
    })
    const { code, report } = await waitFor(1_000, server)
    expect(code).toBe(1)
    expect(report.sections.map(({ title }) => title)).toEqual(['Reaching it'])
  })

  it('Ctrl-C ends it', async () => {
    const { io, out, interrupt } = worldWith(new ScriptedServer(() => {}))
    const examining = doctor(WHERETO, io)
    await settle()
    interrupt()
    expect(await examining).toBe(130)
    expect(out()).toBe('')
  })
})

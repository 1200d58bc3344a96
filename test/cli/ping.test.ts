/** ping: pg_isready's rule and exit codes, told in states, and no password on the wire. */
import { describe, expect, it } from 'vitest'
import { ping } from '../../src/cli/ping.ts'
import type { BackendMessage } from '../../src/protocol/backend.ts'
import { lawful, type Method, ScriptedServer } from '../support/scripted-server.ts'
import { settle, type VirtualClock } from '../support/virtual-clock.ts'
import { expectLeft, worldWith } from './network-io.ts'

const WHERETO = ['postgres://db.example/app?sslmode=disable']

function refusing(sqlstate: string, message: string): ScriptedServer {
  const fields = [
    { code: 'S', value: 'FATAL' },
    { code: 'C', value: sqlstate },
    { code: 'M', value: message },
  ]
  return new ScriptedServer((server) => server.send({ type: 'ErrorResponse', fields } satisfies BackendMessage))
}

describe('ping', () => {
  it.each<[Method, string]>([
    ['password', 'it asks for a password in the clear'],
    ['md5', 'it asks for an MD5 password'],
    ['scram-sha-256', 'it asks for SASL'],
    ['trust', 'it let us in'],
  ])('a server that lets in by %s accepts connections, and is sent no password', async (method, because) => {
    const server = lawful({ method })
    const { io, out } = worldWith(server)
    expect(await ping(WHERETO, io)).toBe(0)
    expect(out()).toMatch(/^db\.example:5432 - accepting connections: /)
    expect(out()).toContain(because)
    expect(server.names.filter((name) => /Password|SASL/.test(name))).toEqual([])
  })

  it.each([
    ['57P03', 'the database system is starting up', 1, 'rejecting connections'],
    ['3D000', 'database "app" does not exist', 0, 'accepting connections'],
    ['28000', 'no pg_hba.conf entry', 0, 'accepting connections'],
  ])('a server that refuses with %s (%s): %d', async (sqlstate, message, code, status) => {
    const { io, out } = worldWith(refusing(sqlstate, message))
    expect(await ping(WHERETO, io)).toBe(code)
    expect(out()).toBe(
      `db.example:5432 - ${status}: ${message} (${sqlstate}), in AwaitingAuthentication, after 0.0 ms\n`,
    )
  })

  it('a server that ends the connection has not responded', async () => {
    const { io, out } = worldWith(new ScriptedServer((server) => server.end()))
    expect(await ping(WHERETO, io)).toBe(2)
    expect(out()).toMatch(/^db\.example:5432 - no response: the server closed the connection in AwaitingAuthentication/)
  })

  it('after three seconds it is over, as for pg_isready', async () => {
    const { io, out } = worldWith(new ScriptedServer(() => {}))
    const pinging = ping(WHERETO, io)
    await settle()
    const clock = io.runtime.clock as VirtualClock
    clock.advance(2_999)
    await settle()
    expect(out()).toBe('')
    clock.advance(1)
    await settle()
    clock.advance(0)
    expect(await pinging).toBe(2)
    expect(out()).toContain('the deadline of 3000 ms passed in AwaitingAuthentication')
  })

  it.each(['after a second', 'at Ctrl-C'] as const)('a server that does not heed Terminate is left %s', (end) =>
    expectLeft(ping, WHERETO, end),
  )

  it('Ctrl-C ends it', async () => {
    const { io, interrupt } = worldWith(new ScriptedServer(() => {}))
    const pinging = ping(WHERETO, io)
    await settle()
    interrupt()
    expect(await pinging).toBe(130)
  })

  it('quiet, it says nothing; as JSON, all of it', async () => {
    const quiet = worldWith(lawful())
    expect(await ping([...WHERETO, '-q'], quiet.io)).toBe(0)
    expect(quiet.out()).toBe('')
    const { io, out } = worldWith(lawful())
    expect(await ping([...WHERETO, '--json'], io)).toBe(0)
    expect(JSON.parse(out())).toEqual({
      endpoint: 'db.example:5432',
      status: 'accepting',
      because: 'it asks for SASL',
      state: 'AwaitingAuthentication',
      afterMs: 0,
      tls: null,
    })
    const late = worldWith(lawful())
    let ms = 0
    Object.assign(late.io.runtime.clock, {
      now: () => {
        ms += 1 / 3
        return ms
      },
    })
    await ping([...WHERETO, '--json'], late.io)
    expect(late.out()).toMatch(/"afterMs":\d+\.\d{1,3},/)
  })

  it.each(['postgres://db.example:x/app', 'postgres://db.example/app?sslmode=verify-full&sslrootcert=/nonexistent'])(
    'what it cannot read is no attempt: %s',
    async (target) => {
      const server = lawful()
      const { io, err } = worldWith(server)
      expect(await ping([target], io)).toBe(3)
      expect(err()).toMatch(/^pg-deadline ping: /)
      expect(server.dialed).toBe(0)
    },
  )
})

/** The commands as processes, on a real server: what is printed, the exit codes, Ctrl-C, and that the server agrees. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { doctor } from '../../src/cli/doctor/doctor.ts'
import { NODE } from '../../src/connect.ts'
import { TransportError } from '../../src/net/transport.ts'
import { networkIo } from '../cli/network-io.ts'
import { TlsServer } from './tls-server.ts'

const PROJECT = join(import.meta.dirname, '..', '..')
const CERTIFICATES = join(PROJECT, 'test', 'certificates')

let server: TlsServer
let url: string

beforeAll(async () => {
  server = await TlsServer.start({ setup: ["create role app login password 'app'"] })
  const { host, port } = server.server
  url = `postgres://app@${host}:${port}/postgres?sslrootcert=${encodeURIComponent(join(CERTIFICATES, 'ca.crt'))}`
})
afterAll(() => server?.[Symbol.asyncDispose]())

function start(...args: string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(PROJECT, 'src', 'cli', 'bin.ts'), ...args], {
    cwd: PROJECT,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', PGPASSWORD: 'app' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    err += String(chunk)
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { child, ended, out: () => out }
}

const run = (...args: string[]) => start(...args).ended

// Each is a process of its own, with a compiler in it.
describe('pg-deadline, as a process', { timeout: 60_000 }, () => {
  it('trace shows a handshake in TLS, bound to it', async () => {
    const { code, out, err } = await run('trace', `${url}&sslmode=verify-full`)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('SCRAM-SHA-256-PLUS')
    expect(out).toMatch(/6 round trips/)
    expect(out).not.toContain('\x1b')
  })

  it('doctor finds out what the server offers', async () => {
    const { code, out, err } = await run('doctor', `${url}&sslmode=require`)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const found of [
      'TLS 1.3, TLS 1.2',
      'holds: the certificate',
      'SCRAM-SHA-256-PLUS, SCRAM-SHA-256',
      '✓ cancel',
      'PostgreSQL 18',
    ]) {
      expect(out).toContain(found)
    }
    const { sections } = JSON.parse((await run('doctor', url, '--json')).out) as {
      sections: readonly { title: string }[]
    }
    expect(sections.map(({ title }) => title)).toEqual([
      'Reaching it',
      'TLS',
      'Authentication',
      'Protocol',
      'Session',
      'Time',
    ])
  })

  it('ping gets its answer without a password', async () => {
    const { host, port } = server.server
    const { code, out } = await run('ping', '-h', host, '-p', String(port), '-U', 'app')
    expect(code).toBe(0)
    expect(out).toContain(`${host}:${port} - accepting connections: it asks for SASL`)
    expect((await run('ping', '-h', '127.0.0.1', '-p', '1')).code).toBe(2)
  })

  it('what is saved is for nobody else to read, also where there was a file before', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'capture-')), 'capture')
    try {
      writeFileSync(path, 'what was there before', { mode: 0o644 })
      expect((await run('trace', '-h', '127.0.0.1', '-p', '1', '--save', path)).code).toBe(2)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect((await run('replay', path)).out).toContain('ECONNREFUSED')
    } finally {
      rmSync(dirname(path), { recursive: true })
    }
  })

  it('Ctrl-C ends a connect that hangs, with 130 and the state in which it hung', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}))
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const { port } = silent.address() as { port: number }
    try {
      const { child, ended, out } = start('trace', `postgres://app@127.0.0.1:${port}/app?sslmode=disable`)
      await expect.poll(out, { timeout: 30_000 }).toContain('StartupMessage')
      child.kill('SIGINT')
      const { code, out: shown } = await ended
      expect(code).toBe(130)
      expect(shown).toMatch(/aborted in\s+AwaitingAuthentication/)
    } finally {
      silent.close()
    }
  })
})

describe('doctor, where a cancel request gets nowhere', () => {
  it('says so, and no backend is left that sleeps on', async () => {
    let dialed = 0
    const dial: typeof NODE.dial = (...given) => {
      dialed += 1
      // The second connection is the cancel request.
      if (dialed === 2) throw new TransportError('ECONNREFUSED', 'connect ECONNREFUSED')
      return NODE.dial(...given)
    }
    const { io, out } = networkIo({ ...NODE, dial }, { env: { PGPASSWORD: 'app' } })
    expect(await doctor([`${url}&sslmode=require`], io)).toBe(0)
    expect(out()).toContain('✗ cancel')
    const asleep =
      "select count(*)::int as n from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'"
    await expect.poll(async () => (await server.server.sql(asleep))[0]?.['n'], { timeout: 10_000 }).toBe(0)
  })
})

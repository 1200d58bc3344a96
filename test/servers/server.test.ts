/** One embedded server, started the way every live test does it. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startServer } from './server.ts'

afterEach(() => vi.unstubAllEnvs())

describe('an embedded server', () => {
  it('has the options asked for, answers, keeps a log, and leaves nothing behind', { timeout: 60_000 }, async () => {
    vi.stubEnv('PG_DEADLINE_PROVIDER', 'embedded')
    const server = await startServer({
      settings: { max_connections: '10', 'pg_deadline.quote': "it's a \\ in quotes" },
      hba: ['host all app all trust'],
      files: { 'extra.conf': '' },
      setup: ['create role app login'],
    })
    const room = dirname(server.socketDirectory ?? '')
    const pid = Number(readFileSync(join(room, 'data', 'postmaster.pid'), 'utf8').split('\n')[0])

    expect(server).toMatchObject({
      provider: 'embedded',
      host: '127.0.0.1',
      version: expect.stringMatching(/^18\.\d+$/),
    })
    expect(await server.sql('select $1::int + 1 as n', [41])).toEqual([{ n: 42 }])
    expect(await server.sql('show max_connections')).toEqual([{ max_connections: '10' }])
    expect(await server.sql('show pg_deadline.quote')).toEqual([{ 'pg_deadline.quote': "it's a \\ in quotes" }])
    expect(await server.sql("select count(*)::int as n from pg_hba_file_rules where 'app' = any(user_name)")).toEqual([
      { n: 1 },
    ])
    expect(await server.log()).toContain('database system is ready to accept connections')

    // An existing server is this one, by its URI: it is used as it is, or not at all.
    vi.stubEnv('PG_DEADLINE_PROVIDER', 'url')
    vi.stubEnv('PG_DEADLINE_SERVER_URL', server.url())
    const existing = await startServer()
    expect(await existing.sql('select current_user::text as name')).toEqual([{ name: 'postgres' }])
    await existing.stop()
    await expect(startServer({ hba: ['local all all trust'] })).rejects.toThrow('with its own hba')
    await expect(startServer({ version: '14' })).rejects.toThrow('this test needs PostgreSQL 14')

    await server.stop()
    await server.stop()
    expect(existsSync(room)).toBe(false)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(server.sql('select 1')).rejects.toThrow('stopped')
  })

  it('that does not start says what its log says', { timeout: 60_000 }, async () => {
    vi.stubEnv('PG_DEADLINE_PROVIDER', 'embedded')
    await expect(startServer({ settings: { no_such_setting: '1' } })).rejects.toThrow(
      /The end of its log:.*unrecognized configuration parameter "no_such_setting"/s,
    )
  })

  it('that is aborted while it starts rejects with the reason of the signal', { timeout: 60_000 }, async () => {
    vi.stubEnv('PG_DEADLINE_PROVIDER', 'embedded')
    const reason = new Error('enough')
    const controller = new AbortController()
    const starting = startServer({ signal: controller.signal })
    controller.abort(reason)
    await expect(starting).rejects.toBe(reason)
  })
})

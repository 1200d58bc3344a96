/** A primary and a standby from npm, and what is left of them. */
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openHome } from './home.ts'
import { findObstacle, startReplication } from './replication.ts'

beforeEach(() => vi.stubEnv('PG_DEADLINE_PROVIDER', 'embedded'))
afterEach(() => vi.unstubAllEnvs())

const WHO = "select pg_is_in_recovery() as standby, current_setting('transaction_read_only') as read_only"

it('the standby answers, writes nothing, and has what the primary writes', { timeout: 60_000 }, async () => {
  const replication = await startReplication({
    primary: { settings: { max_connections: '20' }, setup: ['create role app login'] },
    standby: { settings: { max_connections: '101' } },
  })
  const { primary, standby } = replication
  const rooms = readdirSync(openHome().directory)

  expect(standby.version).toBe(primary.version)
  expect(await primary.sql(WHO)).toEqual([{ standby: false, read_only: 'off' }])
  expect(await standby.sql(WHO)).toEqual([{ standby: true, read_only: 'on' }])
  expect(await standby.sql("select rolname::text as name from pg_roles where rolname = 'app'")).toEqual([
    { name: 'app' },
  ])
  await expect(standby.sql('create role other')).rejects.toThrow('read-only transaction')

  await primary.sql('create table numbers as select generate_series(1, 10000) as n')
  await replication.replayed()
  expect(await standby.sql('select count(*)::int as n from numbers')).toEqual([{ n: 10_000 }])
  // It is sent, not read from files that both can see.
  expect(await primary.sql('select state from pg_stat_replication')).toEqual([{ state: 'streaming' }])
  expect(await primary.sql('show max_connections')).toEqual([{ max_connections: '20' }])
  expect(await standby.sql('show max_connections')).toEqual([{ max_connections: '101' }])

  await standby.stop()
  expect(await primary.sql('select 1 as one')).toEqual([{ one: 1 }])
  await replication.stop()
  await replication.stop()
  await expect(primary.sql('select 1')).rejects.toThrow('stopped')
  expect(rooms.length - readdirSync(openHome().directory).length).toBe(2)
})

it('a standby that does not start takes its primary along', { timeout: 60_000 }, async () => {
  await (await startReplication()).stop()
  const rooms = readdirSync(openHome().directory)
  await expect(startReplication({ standby: { settings: { max_connections: '5' } } })).rejects.toThrow(
    'insufficient parameter settings',
  )
  expect(readdirSync(openHome().directory)).toEqual(rooms)
})

it('a start that is aborted rejects with the reason of the signal', { timeout: 60_000 }, async () => {
  await (await startReplication()).stop()
  const rooms = readdirSync(openHome().directory)
  const reason = new Error('enough')
  const controller = new AbortController()
  const starting = startReplication({ signal: controller.signal })
  // The primary is ready, or about to be; the standby is not.
  await vi.waitFor(() => expect(readdirSync(openHome().directory).length).toBeGreaterThan(rooms.length), {
    timeout: 10_000,
    interval: 1,
  })
  controller.abort(reason)
  await expect(starting).rejects.toBe(reason)
  expect(readdirSync(openHome().directory)).toEqual(rooms)
})

it('servers of another provider are no standby of each other', async () => {
  expect(await findObstacle()).toBe(null)
  vi.stubEnv('PG_DEADLINE_PROVIDER', 'url')
  vi.stubEnv('PG_DEADLINE_SERVER_URL', 'postgres://postgres@127.0.0.1:1/postgres')
  expect(await findObstacle()).toContain('the one chosen is url')
  await expect(startReplication()).rejects.toThrow('the provider embedded or local')
})

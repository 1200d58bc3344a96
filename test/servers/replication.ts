/**
 * A primary and its hot standby, for tests of who is let in where: `startReplication()` hands them out, `stop()` (or
 * `await using`) takes them away again.
 *
 * There is no pg_basebackup among the programs from npm, and no need of one: all clusters of this process are copies of what
 * one initdb made (cluster.ts), so a new one is a backup of any other from before its first start. With `standby.signal` it
 * replays from there on what the primary streams to it. Manual: #STANDBY-SERVER-SETUP.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SUPERUSER } from './configuration.ts'
import { chooseProvider, PROVIDERS, type ProviderName } from './provider.ts'
import { type ServerOptions, startServer, type TestServer } from './server.ts'

export interface ReplicationOptions {
  /** Major version of both; as in ServerOptions. */
  readonly version?: string
  /** What `setup` makes is at the standby too before it is handed out. */
  readonly primary?: Omit<ServerOptions, 'version' | 'signal'>
  /**
   * Nothing is taken over from the primary. #HOT-STANDBY-ADMIN: `max_connections` and its kin must be no less than the
   * primary's, nor than initdb's 100, of which the standby's copy still speaks.
   */
  readonly standby?: Omit<ServerOptions, 'version' | 'signal' | 'setup'>
  /** Aborts the start, which then rejects with `signal.reason` and leaves nothing behind. */
  readonly signal?: AbortSignal
}

export interface Replication extends AsyncDisposable {
  readonly primary: TestServer
  /** In recovery for as long as it lives: it answers queries and writes nothing. */
  readonly standby: TestServer
  /** Settles once the standby has replayed all that the primary has written by now. */
  replayed(): Promise<void>
  /** Idempotent; a server that was stopped before stays so. */
  stop(): Promise<void>
}

/** Those whose servers are made from one initdb and reach each other on the loopback interface. */
const PROVIDER_NAMES: ReadonlySet<ProviderName> = new Set(['embedded', 'local'])

const REPLAY_MS_MAX = 10_000

/** Null if a standby can be had, else why not: a test that needs one is then skipped, and says so. */
export async function findObstacle({ version }: Pick<ReplicationOptions, 'version'> = {}): Promise<string | null> {
  const { name } = await chooseProvider(process.env, PROVIDERS, version === undefined ? {} : { version })
  if (PROVIDER_NAMES.has(name)) return null
  return `a standby takes servers of the provider embedded or local, and the one chosen is ${name}`
}

export async function startReplication({
  primary: ofPrimary,
  standby: ofStandby,
  ...common
}: ReplicationOptions = {}): Promise<Replication> {
  const obstacle = await findObstacle(common)
  if (obstacle !== null) throw new Error(obstacle)
  const servers: TestServer[] = []

  async function stop(): Promise<void> {
    await Promise.all(servers.map((server) => server.stop()))
  }

  try {
    const primary = await startServer({
      ...ofPrimary,
      ...common,
      // The standby begins with the very first record: none may be recycled before it was sent.
      settings: { wal_keep_size: '64MB', ...ofPrimary?.settings },
    })
    servers.push(primary)
    const standby = await startServer({
      ...ofStandby,
      ...common,
      settings: { primary_conninfo: writeConninfo(primary), ...ofStandby?.settings },
      files: { 'standby.signal': '', ...ofStandby?.files },
    })
    servers.push(standby)
    const replayed = () => untilReplayed(primary, standby, common.signal)
    await replayed()
    return { primary, standby, replayed, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** #LIBPQ-CONNSTRING-KEYWORD-VALUE. The password is base64url: there is nothing to quote. */
function writeConninfo({ host, port }: TestServer): string {
  return `host=${host} port=${port} user=${SUPERUSER.name} password=${SUPERUSER.password} sslmode=disable`
}

async function untilReplayed(primary: TestServer, standby: TestServer, signal: AbortSignal | undefined): Promise<void> {
  const [written] = await primary.sql('select pg_current_wal_lsn()::text as position')
  const began = performance.now()
  while (performance.now() - began < REPLAY_MS_MAX) {
    signal?.throwIfAborted()
    const [row] = await standby.sql('select pg_last_wal_replay_lsn() >= $1::pg_lsn as here', [written?.['position']])
    if (row?.['here'] === true) return
    await sleep(5)
  }
  const tail = (await standby.log()).split('\n').slice(-20).join('\n')
  throw new Error(`the standby has not caught up after ${REPLAY_MS_MAX} ms. The end of its log:\n${tail}`)
}

/** Ours: as it comes, without its memory of keys, and with everything that saves a round trip. */
import { type ConnectTarget, connect, type Session } from '../../src/index.ts'
import type { Client, Close, Target } from './target.ts'

export function ourClient(target: Target, kind: 'default' | 'cold' | 'fast' | 'file'): Client {
  const { host, port, user, password, database, tls } = target
  const settings: ConnectTarget = {
    host,
    port,
    user,
    password,
    dbname: database,
    ...(tls === null ? { sslmode: 'disable' } : { sslmode: 'verify-full', ...trust(tls, kind) }),
    ...(kind === 'cold' && { scramKeyCache: false }),
    ...(kind === 'fast' && { requireAuth: 'scram-sha-256' }),
    ...(kind === 'fast' && tls !== null && { sslnegotiation: 'direct', channelBinding: 'require' }),
  }
  // Without TLS it is read by whoever answers, so that has to be said. Here it is no secret.
  const firstQuery = kind === 'fast' ? { text: 'select 1', allowUnverified: tls === null } : undefined
  return {
    connect: async (timeoutMs) => closeOf(await connect(settings, { timeoutMs })),
    firstRow: async (timeoutMs) => {
      const session = await connect(settings, { timeoutMs, firstQuery })
      const [result] = await (session.firstResult ?? session.query('select 1'))
      if (String(result?.rows) !== '1') throw new Error(`expected one row with 1, got ${String(result?.rows)}`)
      return closeOf(session)
    },
    openReader: async (text) => {
      const session = await connect(settings)
      return () => session.query(text)
    },
  }
}

/** The certificate authority as the peers are given it, or in a file, as libpq wants it. */
function trust({ ca, caFile }: NonNullable<Target['tls']>, kind: string): Pick<ConnectTarget, 'tls' | 'sslrootcert'> {
  return kind === 'file' ? { sslrootcert: caFile } : { tls: { ca } }
}

function closeOf(session: Session): Close {
  return () => session.close()
}

/**
 * The rows of the matrix: what is tried, what a server has to have for it, and what must be so once connected. Which server has
 * what stands in columns.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectOptions, ConnectTarget, Session } from '../../src/index.ts'
import { pathOf } from '../../test/certificates/index.ts'

/** What one server has and another one does not. */
export type Need =
  | Exclude<Method, 'trust'>
  | 'early SASL'
  | 'TLS'
  | 'direct TLS'
  | 'channel binding'
  | 'protocol 3.2'
  | 'negotiation'
  | 'cancel'

export type Method = 'trust' | 'password' | 'md5' | 'scram-sha-256'
export const METHODS: readonly Method[] = ['trust', 'password', 'md5', 'scram-sha-256']

export interface Row {
  readonly name: string
  readonly method: Method
  readonly target: ConnectTarget
  readonly options?: ConnectOptions
  /** In the order in which a connect finds out. */
  readonly needs: readonly Need[]
  /** What must be so once connected; a word of what is not. */
  readonly check: (session: Session) => Promise<string | null> | string | null
}

export interface Section {
  readonly title: string
  readonly about: string
  readonly rows: readonly Row[]
}

const PLAIN: ConnectTarget = { sslmode: 'disable' }
const TLS: ConnectTarget = { sslmode: 'verify-full', sslrootcert: pathOf('ca.crt') }

export const SECTIONS: readonly Section[] = [
  {
    title: 'Without TLS',
    about: "`sslmode=disable`, and `require_auth` has the row's method (for trust: `none`).",
    rows: METHODS.map((method) => login(method, PLAIN)),
  },
  {
    title: 'In TLS',
    about: 'The same with `sslmode=verify-full`, by SSLRequest if nothing else is said.',
    rows: [
      ...METHODS.map((method) => login(method, TLS)),
      {
        ...login('scram-sha-256', TLS),
        name: 'SCRAM-SHA-256-PLUS: `channel_binding=require`',
        target: { ...TLS, channelBinding: 'require' },
        needs: ['TLS', 'scram-sha-256', 'channel binding'],
      },
      {
        ...login('scram-sha-256', TLS),
        name: 'SCRAM, `sslnegotiation=direct`',
        target: { ...TLS, sslnegotiation: 'direct' },
        needs: ['direct TLS', 'scram-sha-256'],
        check: ({ tls }) => (tls?.alpnProtocol === 'postgresql' ? null : 'no ALPN'),
      },
    ],
  },
  {
    title: 'Protocol 3.2 asked for, 3.0 is good enough',
    about:
      '`max_protocol_version=3.2`. PostgreSQL 18 then speaks 3.2; a server that knows 3.0 only says so, and that is spoken.',
    rows: METHODS.map((method) => ({
      ...login(method, PLAIN),
      target: { ...PLAIN, maxProtocolVersion: '3.2' },
      needs: ['negotiation', ...login(method, PLAIN).needs],
      check({ protocolVersion, parameters }) {
        const spoken = Number.parseInt(parameters.get('server_version') ?? '', 10) >= 18 ? '3.2' : '3.0'
        return protocolVersion === spoken ? null : protocolVersion
      },
    })),
  },
  {
    title: 'Protocol 3.2 or nothing',
    about: '`min_protocol_version=3.2`. Everything else on this page is in 3.0, which is the default.',
    rows: METHODS.map((method) => ({
      ...login(method, PLAIN),
      target: { ...PLAIN, minProtocolVersion: '3.2' },
      needs: ['protocol 3.2', ...login(method, PLAIN).needs],
      check: ({ protocolVersion }) => (protocolVersion === '3.2' ? null : protocolVersion),
    })),
  },
  {
    title: '`target_session_attrs=read-write`',
    about: 'Everything else on this page is with `any`, which is the default.',
    rows: METHODS.map((method) => ({
      ...login(method, PLAIN),
      target: { ...PLAIN, targetSessionAttrs: 'read-write' },
    })),
  },
  {
    title: 'Cancel',
    about: 'A query is canceled while it runs, and fails with SQLSTATE 57014; then the session answers another one.',
    rows: [PLAIN, TLS].flatMap((target) =>
      METHODS.map((method) => ({
        ...login(method, target),
        name: target === TLS ? `${nameOf(method)}, in TLS` : nameOf(method),
        needs: [...login(method, target).needs, 'cancel'],
        check: canceled,
      })),
    ),
  },
  // The last one: PGlite does not get over SCRAM that begins unasked.
  {
    title: 'As few round trips as can be',
    about:
      'SCRAM begins unasked, with `require_auth=scram-sha-256` and `channel_binding=disable`, and a `firstQuery` leaves with its last ' +
      'message. How many round trips each takes is counted in [test/live/round-trips.test.ts](../test/live/round-trips.test.ts).',
    rows: [TLS, PLAIN].map((target) => ({
      ...login('scram-sha-256', target),
      name: target === TLS ? 'in TLS' : 'without TLS',
      target: { ...target, channelBinding: 'disable', earlySasl: true },
      options: { firstQuery: { text: 'select 1', allowUnverified: target === PLAIN } },
      needs: target === TLS ? ['TLS', 'early SASL'] : ['early SASL'],
      async check({ firstResult, timeline }) {
        if (!timeline.some(({ state }) => state === 'AwaitingSaslOffer')) return 'not unasked'
        return (await firstResult)?.length === 1 ? null : 'no first result'
      },
    })),
  },
]

/** By this method and no other. */
function login(method: Method, target: ConnectTarget): Row {
  return {
    name: nameOf(method),
    method,
    target,
    needs: [...(target === TLS ? (['TLS'] as const) : []), ...(method === 'trust' ? [] : [method])],
    check({ authenticationMethod, tls }) {
      if ((tls !== null) !== (target === TLS)) return tls === null ? 'no TLS' : 'TLS'
      return authenticationMethod === (method === 'trust' ? 'none' : method) ? null : authenticationMethod
    },
  }
}

function nameOf(method: Method): string {
  return { trust: 'trust', password: 'password, in the clear', md5: 'md5', 'scram-sha-256': 'SCRAM-SHA-256' }[method]
}

async function canceled(session: Session): Promise<string | null> {
  // Pgpool-II asks the catalog about a function that it does not know yet; a cancel request that meets that question ends all.
  await session.query('select pg_sleep(0)')
  const asleep = session.query('select pg_sleep(5)').then(
    () => 'not canceled',
    ({ sqlstate }: { sqlstate?: string }) => (sqlstate === '57014' ? null : `the query ended with ${sqlstate}`),
  )
  try {
    // A request that comes before the server has begun with the query is for nothing.
    do await session.cancel({ timeoutMs: 2_000 })
    while (await Promise.race([asleep.then(() => false), sleep(500, true)]))
  } finally {
    // Where it could not be canceled, the next connect may have to wait for it.
    await asleep
  }
  return asleep
}

/** The session against a real server: results, errors, COPY, notices, the queue, and its end. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect, type QueryResult, type Session } from '../../src/index.ts'
import { startServer, type TestServer } from '../servers/server.ts'
import { sessionFailureOf } from './expect-failure.ts'

let server: TestServer
let shared: Session

beforeAll(async () => {
  server = await startServer({ setup: ['create role app login', "alter role app password 'app'"] })
})

afterAll(async () => {
  await shared?.close()
  await server?.stop()
})

/** The tests that do not end their session use one and the same: what a test leaves wrong, the next one meets. */
beforeEach(async () => {
  if (shared === undefined || shared.phase !== 'Idle') shared = await open()
})

function open(): Promise<Session> {
  return connect(server.url({ user: 'app', password: 'app' }))
}

async function rowsOf(session: Session, text: string): Promise<QueryResult['rows'] | undefined> {
  return (await session.query(text))[0]?.rows
}

/** Whether the server still has a backend for this session. */
async function hasBackend(session: Session): Promise<boolean> {
  const pid = session.backendKeyData?.processId
  const rows = await server.sql('select from pg_stat_activity where pid = $1', [pid])
  return rows.length > 0
}

describe('a query text', () => {
  it('of several statements has a result each', async () => {
    const results = await shared.query(`
      create temporary table fruit (name text, weight int);
      insert into fruit values ('apple', 150), ('fig', 50);
      select name, weight from fruit order by name;
      select 1 as one where false;
      drop table fruit`)
    expect(results.map(({ commandTag, rowCount }) => [commandTag, rowCount])).toEqual([
      ['CREATE TABLE', null],
      ['INSERT 0 2', 2],
      ['SELECT 2', 2],
      ['SELECT 0', 0],
      ['DROP TABLE', null],
    ])
    expect(results[2]?.columns.map(({ name }) => name)).toEqual(['name', 'weight'])
    expect(results[2]?.objects()).toEqual([
      { name: 'apple', weight: '150' },
      { name: 'fig', weight: '50' },
    ])
    expect(results[3]?.columns.map(({ name }) => name)).toEqual(['one'])
    expect(results[3]?.rows).toEqual([])
  })

  it('tells NULL from the empty string', async () => {
    expect(await rowsOf(shared, "select null, '', 'null', 0")).toEqual([[null, '', 'null', '0']])
  })

  it('may have rows without columns', async () => {
    expect(await rowsOf(shared, 'select from generate_series(1, 3)')).toEqual([[], [], []])
  })

  it('may be empty', async () => {
    for (const text of ['', ' ', '-- nothing', ';']) {
      await expect(shared.query(text)).resolves.toMatchObject([{ commandTag: '', rowCount: null, rows: [] }])
    }
  })

  it('is UTF-8 there and back, in values, names and errors', async () => {
    const text = 'Grüße, 世界 🐘 e\u0301 \u{10ffff}'
    const [result] = await shared.query(
      `select '${text}' as "${text}", char_length('🐘') as n, octet_length('🐘') as o`,
    )
    expect(result?.objects()).toEqual([{ [text]: text, n: '1', o: '4' }])
    const error = await sessionFailureOf(shared.query('select "🐘"'))
    expect(error.message).toContain('column "🐘" does not exist')
  })

  it('may return a row of many megabytes', async () => {
    const [row] = (await rowsOf(shared, "select repeat('é', 8 * 1024 * 1024), 'behind'")) ?? []
    expect(row?.[0] === 'é'.repeat(8 * 1024 * 1024)).toBe(true)
    expect(row?.[1]).toBe('behind')
  })

  it('may be of many megabytes itself', async () => {
    const text = 'x'.repeat(8 * 1024 * 1024)
    expect(await rowsOf(shared, `select char_length('${text}')`)).toEqual([[String(text.length)]])
  })

  it('may return a hundred thousand rows, in order', async () => {
    const rows = (await rowsOf(shared, 'select n, n * 2 from generate_series(1, 100000) n')) ?? []
    expect(rows).toHaveLength(100_000)
    expect(rows.every(([n, twice], index) => n === String(index + 1) && twice === String(2 * (index + 1)))).toBe(true)
  })
})

describe('an error of the server', () => {
  it('comes with every field that the server sent, and the session goes on', async () => {
    await shared.query('create temporary table room (id int, constraint room_id_positive check (id > 0))')
    const error = await sessionFailureOf(shared.query('insert into room values (-1)'))
    expect(error).toMatchObject({ name: 'SessionError', phase: 'AwaitingResponse', sqlstate: '23514' })
    expect(error.failure).toMatchObject({ kind: 'refused', severity: 'ERROR' })
    expect(error.message).toBe(
      'the server refused in AwaitingResponse: new row for relation "room" violates check constraint "room_id_positive" (ERROR, SQLSTATE 23514)',
    )
    const { fields } = error.failure as Extract<typeof error.failure, { kind: 'refused' }>
    expect(Object.fromEntries(fields)).toMatchObject({
      detail: 'Failing row contains (-1).',
      table: 'room',
      constraint: 'room_id_positive',
    })
    expect(shared.phase).toBe('Idle')
    expect(await rowsOf(shared, 'select 1')).toEqual([['1']])
  })

  it('points at the place in the query text, and passes the hint of the server on', async () => {
    const error = await sessionFailureOf(shared.query('select 🐘, char_lenght(1)'))
    const { fields } = error.failure as Extract<typeof error.failure, { kind: 'refused' }>
    // #PROTOCOL-ERROR-FIELDS: counted in characters, from one.
    expect(fields.get('position')).toBe('8')
    const other = await sessionFailureOf(
      shared.query("do $$ begin raise exception 'no' using hint = 'ask again'; end $$"),
    )
    expect(other.message).toBe('the server refused in AwaitingResponse: no (ERROR, SQLSTATE P0001); ask again')
  })

  it('ends a query text in the middle: what came before it is not passed on', async () => {
    const error = await sessionFailureOf(shared.query('select 1; select 1 / 0; select 2'))
    expect(error).toMatchObject({ sqlstate: '22012' })
    expect(await rowsOf(shared, 'select 3')).toEqual([['3']])
  })

  it('may come after some of the rows', async () => {
    const error = await sessionFailureOf(shared.query('select 1 / (5000 - n) from generate_series(1, 6000) n'))
    expect(error).toMatchObject({ phase: 'ReadingRows', sqlstate: '22012' })
    expect(await rowsOf(shared, 'select 3')).toEqual([['3']])
  })

  it('in a transaction leaves it to the caller to roll back', async () => {
    await sessionFailureOf(shared.query('begin; select 1 / 0'))
    await expect(sessionFailureOf(shared.query('select 1'))).resolves.toMatchObject({ sqlstate: '25P02' })
    await shared.query('rollback')
    expect(await rowsOf(shared, 'select 1')).toEqual([['1']])
  })
})

describe('bytes that are not the text that we ask for', () => {
  it('come from a binary cursor, and are hexadecimal digits', async () => {
    await using session = await open()
    const results = await session.query(
      "begin; declare c binary cursor for select '\\xdeadbeef'::bytea, 258::int4, null::text; fetch all from c; commit",
    )
    expect(results.find(({ commandTag }) => commandTag === 'FETCH 1')?.rows).toEqual([
      ['\\xdeadbeef', '\\x00000102', null],
    ])
  })

  it('would come in another encoding: the session ends before it can read one wrongly', async () => {
    await using session = await open()
    const error = await sessionFailureOf(session.query("set client_encoding = 'LATIN1'; select chr(228)"))
    expect(error.failure).toEqual({
      kind: 'incompatible',
      what: 'client_encoding',
      offered: ['LATIN1'],
      supported: ['UTF8'],
    })
    expect(session.phase).toBe('Failed')
  })
})

describe('COPY', () => {
  it('TO STDOUT hands the data over piece by piece', async () => {
    const [result] = await shared.query("copy (select n, 'é' from generate_series(1, 1000) n) to stdout")
    expect(result?.commandTag).toBe('COPY 1000')
    const lines = Buffer.concat(result?.copyData ?? [])
      .toString()
      .split('\n')
    expect(lines.slice(0, 2)).toEqual(['1\té', '2\té'])
    expect(lines).toHaveLength(1_001)
  })

  it('FROM STDIN is given up, and the session goes on', async () => {
    await shared.query('create temporary table target (line text)')
    const error = await sessionFailureOf(shared.query('copy target from stdin'))
    expect(error).toMatchObject({ phase: 'RefusingCopyIn', sqlstate: '57014' })
    expect(error.message).toContain('COPY from stdin failed: a query text carries no data for COPY FROM STDIN')
    expect(await rowsOf(shared, 'select count(*) from target')).toEqual([['0']])
  })
})

describe('what the server says unasked', () => {
  it('a notice belongs to the statement that raised it', async () => {
    const results = await shared.query(
      "do $$ begin raise notice 'one %', 1; raise warning 'two'; end $$; select 1; do $$ begin raise info 'three'; end $$",
    )
    expect(results.map(({ notices }) => notices.map(({ severity, message }) => [severity, message]))).toEqual([
      [
        ['NOTICE', 'one 1'],
        ['WARNING', 'two'],
      ],
      [],
      [['INFO', 'three']],
    ])
    expect(shared.notices).toEqual([])
  })

  it('parameters are live', async () => {
    const { parameters } = shared
    await shared.query("set timezone to 'Asia/Tokyo'; set application_name to 'renamed'")
    expect(parameters.get('TimeZone')).toBe('Asia/Tokyo')
    expect(parameters.get('application_name')).toBe('renamed')
    await shared.query('reset timezone; reset application_name')
    expect(parameters.get('TimeZone')).toBe('UTC')
    expect(parameters.get('application_name')).toBe('')
  })

  it('a notification may come before the session is ready: a login trigger can cause it', async () => {
    await server.sql('create database with_trigger')
    const admin = await connect(server.url({ database: 'with_trigger' }))
    await admin.query(`
      create function greet() returns event_trigger language plpgsql as $$
        begin listen greetings; notify greetings, 'hello'; raise notice 'welcome'; end $$;
      create event trigger greet on login execute function greet();
      alter event trigger greet enable always`)
    await admin.close()
    try {
      await using session = await connect(server.url({ user: 'app', password: 'app', database: 'with_trigger' }))
      expect(session.timeline.flatMap(({ messages }) => messages.map(({ name }) => name))).toContain(
        'NotificationResponse',
      )
      expect(session.notices).toMatchObject([{ severity: 'NOTICE', message: 'welcome' }])
    } finally {
      await server.sql('drop database with_trigger with (force)')
    }
  })

  it('a notification disturbs nobody', async () => {
    await expect(shared.query("listen here; notify here, 'payload'")).resolves.toHaveLength(2)
    await shared.query('unlisten here')
    expect(shared.phase).toBe('Idle')
  })
})

describe('queries that wait', () => {
  it('are served in the order in which they were asked', async () => {
    const order: number[] = []
    const answers = await Promise.all(
      [0, 1, 2, 3, 4].map(async (n) => {
        const rows = await rowsOf(shared, `select ${n}, pg_sleep(${n % 2 === 0 ? 0.02 : 0})`)
        order.push(n)
        return rows?.[0]?.[0]
      }),
    )
    expect(answers).toEqual(['0', '1', '2', '3', '4'])
    expect(order).toEqual([0, 1, 2, 3, 4])
  })

  it('fail each by itself', async () => {
    const outcomes = await Promise.allSettled(
      ['select 1', 'select 1 / 0', 'select 2'].map((text) => shared.query(text)),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('may be taken out of the line, and nothing else happens', async () => {
    const caller = new AbortController()
    const reason = new Error('not needed any more')
    const running = rowsOf(shared, "select 'ran', pg_sleep(0.1)")
    const aborted = sessionFailureOf(shared.query("select 'aborted'", { signal: caller.signal }))
    const late = sessionFailureOf(shared.query("select 'late'", { timeoutMs: 20 }))
    const last = rowsOf(shared, "select 'last'")
    caller.abort(reason)

    const error = await aborted
    expect(error).toMatchObject({ name: 'AbortError', failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    await expect(late).resolves.toMatchObject({ name: 'TimeoutError', failure: { kind: 'deadline', timeoutMs: 20 } })
    expect(await running).toEqual([['ran', '']])
    expect(await last).toEqual([['last']])
    expect(shared.phase).toBe('Idle')
  })
})

describe('the end of a session', () => {
  it('comes with the deadline of the query that runs, and those who wait are told', async () => {
    const session = await open()
    const running = sessionFailureOf(session.query('select pg_sleep(10)', { timeoutMs: 50 }))
    const waiting = sessionFailureOf(session.query('select 1'))
    const error = await running
    expect(error).toMatchObject({ name: 'TimeoutError', failure: { kind: 'deadline', timeoutMs: 50 } })
    expect(error.message).toMatch(/^the deadline of 50 ms passed in (AwaitingResponse|ReadingRows), waiting for /)
    expect(error.cause).toMatchObject({ name: 'TimeoutError' })
    expect((await waiting).cause).toBe(error)
    expect(session.phase).toBe('Failed')
    expect((await sessionFailureOf(session.query('select 1'))).cause).toBe(error)
    await session.close()
  })

  it('comes with the abort of the query that runs', async () => {
    const session = await open()
    const caller = new AbortController()
    const reason = new Error('the user went away')
    const running = sessionFailureOf(session.query('select pg_sleep(10)', { signal: caller.signal }))
    caller.abort(reason)
    const error = await running
    expect(error).toMatchObject({ name: 'AbortError', phase: 'AwaitingResponse', failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    expect(session.phase).toBe('Failed')
  })

  it('comes when the server terminates it, with the reason that the server gave: 57P01', async () => {
    const session = await open()
    const error = await sessionFailureOf(session.query('select pg_terminate_backend(pg_backend_pid())'))
    expect(error).toMatchObject({ sqlstate: '57P01', failure: { kind: 'refused', severity: 'FATAL' } })
    expect(error.message).toContain('terminating connection due to administrator command')
    expect(session.phase).toBe('Failed')
  })

  it('comes while it is idle, too, and who asks next is told why', async () => {
    const session = await open()
    await server.sql('select pg_terminate_backend($1)', [session.backendKeyData?.processId])
    await expect.poll(() => session.phase).toBe('Failed')
    await expect(sessionFailureOf(session.query('select 1'))).resolves.toMatchObject({ sqlstate: '57P01' })
  })

  it('is close(), as often as one likes, and no backend is left', async () => {
    const session = await open()
    expect(await hasBackend(session)).toBe(true)
    await Promise.all([session.close(), session.close()])
    expect(session.phase).toBe('Closed')
    await session.close()
    await expect.poll(() => hasBackend(session)).toBe(false)
    await expect(sessionFailureOf(session.query('select 1'))).resolves.toMatchObject({
      failure: { kind: 'lost', code: 'ECLOSED' },
    })
  })

  it('waits for the queries that were asked for before it', async () => {
    const session = await open()
    const rows = rowsOf(session, 'select 1, pg_sleep(0.05)')
    await session.close()
    expect(await rows).toEqual([['1', '']])
  })

  it('does not wait beyond its own deadline', async () => {
    const session = await open()
    const running = sessionFailureOf(session.query('select pg_sleep(10)'))
    await session.close({ timeoutMs: 30 })
    await expect(running).resolves.toMatchObject({ failure: { kind: 'lost', code: 'ECLOSED' } })
    expect(session.phase).toBe('Closed')
  })

  it('is the end of the block under `await using`', async () => {
    let session: Session
    {
      await using inner = await open()
      session = inner
      await inner.query('select 1')
    }
    expect(session.phase).toBe('Closed')
    await expect.poll(() => hasBackend(session)).toBe(false)
  })
})

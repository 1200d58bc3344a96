import { getEventListeners } from 'node:events'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { BackendMessage } from '../src/protocol/backend.ts'
import type { Session } from '../src/session.ts'
import { SessionError } from '../src/state/errors.ts'
import { lawful, ScriptedServer } from './support/scripted-server.ts'
import { settle } from './support/virtual-clock.ts'
import { worldOf } from './support/world.ts'

const READY: BackendMessage = { type: 'ReadyForQuery', status: 'I' }

/** A session whose server lets it in and leaves the answers to the test. */
async function sessionWith(onQuery: (server: ScriptedServer, text: string) => void = () => {}) {
  const server = new ScriptedServer((self, message) => {
    if (message.type === 'StartupMessage') self.send({ type: 'AuthenticationOk' }, READY)
    if (message.type === 'Query') onQuery(self, message.query)
    if (message.type === 'CopyFail') self.send(ERROR, READY)
  })
  const world = worldOf(server)
  return { server, world, session: await world.connect() }
}

const ERROR: BackendMessage = {
  type: 'ErrorResponse',
  fields: [
    { code: 'V', value: 'ERROR' },
    { code: 'C', value: '22012' },
    { code: 'M', value: 'division by zero' },
  ],
}

const column = { tableOid: 0, attributeNumber: 0, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 }

function errorOf(promise: Promise<unknown>): Promise<SessionError> {
  return promise.then(
    () => {
      throw new Error('it succeeded')
    },
    (error: unknown) => {
      if (!(error instanceof SessionError)) throw error
      return error
    },
  )
}

describe('query', () => {
  it('gives one result per statement, with columns, rows, notices and the count of the command tag', async () => {
    const { session } = await sessionWith((server) =>
      server.send(
        {
          type: 'RowDescription',
          columns: [
            { name: 'a', ...column },
            { name: '__proto__', ...column },
          ],
        },
        { type: 'DataRow', values: [Buffer.from('1'), null] },
        { type: 'NoticeResponse', fields: [{ code: 'M', value: 'by the way' }] },
        { type: 'DataRow', values: [Buffer.from(''), Buffer.from('ü')] },
        { type: 'CommandComplete', commandTag: 'SELECT 2' },
        { type: 'CommandComplete', commandTag: 'CREATE TABLE' },
        { type: 'EmptyQueryResponse' },
        READY,
      ),
    )
    const results = await session.query('…')
    expect(results).toMatchObject([
      {
        commandTag: 'SELECT 2',
        rowCount: 2,
        rows: [
          ['1', null],
          ['', 'ü'],
        ],
        notices: [{ message: 'by the way' }],
      },
      { commandTag: 'CREATE TABLE', rowCount: null, rows: [], columns: [], notices: [] },
      { commandTag: '', rowCount: null },
    ])
    const [first] = results[0]?.objects() ?? []
    expect(Object.entries(first ?? {})).toEqual([
      ['a', '1'],
      ['__proto__', null],
    ])
  })

  it('collects what COPY TO STDOUT sends', async () => {
    const { session } = await sessionWith((server) =>
      server.send(
        { type: 'CopyOutResponse', format: 0, columnFormats: [0] },
        { type: 'CopyData', data: Buffer.from('1\n') },
        { type: 'CopyDone' },
        { type: 'CommandComplete', commandTag: 'COPY 1' },
        READY,
      ),
    )
    const [result] = await session.query('copy t to stdout')
    expect(Buffer.concat(result?.copyData ?? []).toString()).toBe('1\n')
  })

  it('answers COPY FROM STDIN with CopyFail, and goes on', async () => {
    const { session, server } = await sessionWith((self, text) => {
      if (text.startsWith('copy')) self.send({ type: 'CopyInResponse', format: 0, columnFormats: [] })
      else self.send({ type: 'CommandComplete', commandTag: 'SELECT 0' }, READY)
    })
    await expect(errorOf(session.query('copy t from stdin'))).resolves.toMatchObject({ phase: 'RefusingCopyIn' })
    expect(server.names).toContain('CopyFail')
    await expect(session.query('select')).resolves.toHaveLength(1)
  })

  it('rejects with the first error once the server is ready again, and goes on', async () => {
    const { session } = await sessionWith((server, text) => {
      if (text === 'bad') server.send({ type: 'CommandComplete', commandTag: 'SELECT 1' }, ERROR, READY)
      else server.send({ type: 'CommandComplete', commandTag: 'SELECT 1' }, READY)
    })
    const error = await errorOf(session.query('bad'))
    expect(error).toMatchObject({ name: 'SessionError', sqlstate: '22012', phase: 'AwaitingResponse' })
    expect(session.phase).toBe('Idle')
    await expect(session.query('good')).resolves.toHaveLength(1)
  })

  it('gives no query the answer of another one, though ReadyForQuery comes twice', async () => {
    const { session, server } = await sessionWith()
    server.send(READY)
    const first = errorOf(session.query('first'))
    const second = errorOf(session.query('second'))
    expect(await first).toMatchObject({ failure: { kind: 'misbehaved', received: 'ReadyForQuery' } })
    expect(await second).toMatchObject({ failure: { kind: 'misbehaved' } })
  })

  it('serves calls in the order in which they were made, one at a time', async () => {
    const { session, server } = await sessionWith()
    const first = session.query('first')
    const second = session.query('second')
    await settle()
    expect(server.received.filter(({ type }) => type === 'Query')).toMatchObject([{ query: 'first' }])
    server.send({ type: 'CommandComplete', commandTag: 'one' }, READY)
    await expect(first).resolves.toMatchObject([{ commandTag: 'one' }])
    server.send({ type: 'CommandComplete', commandTag: 'two' }, READY)
    await expect(second).resolves.toMatchObject([{ commandTag: 'two' }])
  })

  it.each([
    ['a NUL', 'select \0'],
    ['half of a surrogate pair', 'select \ud800'],
    ['no string', 5 as never],
  ])('refuses a text with %s before anything is sent', async (_what, text) => {
    const { session, server } = await sessionWith()
    await expect(session.query(text)).rejects.toThrow(TypeError)
    expect(server.names).not.toContain('Query')
    expect(session.phase).toBe('Idle')
  })

  it.each([
    ['timeoutMs: expected a number of milliseconds, got NaN', { timeoutMs: Number.NaN }],
    ['timeoutMs: expected a number of milliseconds, got string', { timeoutMs: '5' }],
    ['signal: expected an AbortSignal, got object', { signal: {} }],
    ['signal: expected an AbortSignal, got null', { signal: null }],
    ['timeout: is no option; there are timeoutMs and signal', { timeout: 5 }],
    ['options: expected an object, got null', null],
    ['options: expected an object, got number', 5],
  ])('refuses what is no option: %s', async (problem, options) => {
    const { session, server } = await sessionWith()
    await expect(session.query('select', options as never)).rejects.toThrow(new TypeError(problem))
    await expect(session.close(options as never)).rejects.toThrow(new TypeError(problem))
    expect(session.phase).toBe('Idle')
    expect(server.names).toEqual(['StartupMessage'])
  })

  it('keeps what had completed, and the notices of what failed, with the error', async () => {
    const { session } = await sessionWith((server) =>
      server.send(
        { type: 'NoticeResponse', fields: [{ code: 'M', value: 'first' }] },
        { type: 'CommandComplete', commandTag: 'SELECT 1' },
        { type: 'NoticeResponse', fields: [{ code: 'M', value: 'second' }] },
        ERROR,
        { ...ERROR, fields: [{ code: 'M', value: 'another' }] },
        READY,
      ),
    )
    const error = await errorOf(session.query('…'))
    expect(error).toMatchObject({
      sqlstate: '22012',
      results: [{ commandTag: 'SELECT 1', notices: [{ message: 'first' }] }],
      notices: [{ message: 'second' }],
    })
    expect(session.phase).toBe('Idle')
  })

  it('keeps the latest notices of a query that raises them without end', async () => {
    const { session } = await sessionWith((server) => {
      for (let count = 0; count < 1_005; count++) {
        server.send({ type: 'NoticeResponse', fields: [{ code: 'M', value: `notice ${count}` }] })
      }
      server.send({ type: 'CommandComplete', commandTag: 'DO' }, READY)
    })
    const [result] = await session.query('…')
    expect(result?.notices).toHaveLength(1_000)
    expect(result?.notices.at(-1)?.message).toBe('notice 1004')
  })

  it('gives values in binary, which a binary cursor sends, as hexadecimal digits', async () => {
    const { session } = await sessionWith((server, text) => {
      const format = text === 'binary' ? 1 : 0
      server.send(
        {
          type: 'RowDescription',
          columns: [
            { name: 'a', ...column, format },
            { name: 'b', ...column },
          ],
        },
        { type: 'DataRow', values: [Buffer.from('deadbeef', 'hex'), Buffer.from('text')] },
        { type: 'CommandComplete', commandTag: 'FETCH 1' },
        READY,
      )
    })
    await expect(session.query('binary')).resolves.toMatchObject([{ rows: [['\\xdeadbeef', 'text']] }])
    await expect(session.query('text')).resolves.toMatchObject([{ rows: [[expect.not.stringContaining('x'), 'text']] }])
  })
})

describe('a deadline', () => {
  it('that passes while a query runs ends the session, and tells those who wait', async () => {
    const { session, server, world } = await sessionWith()
    const running = errorOf(session.query('slow', { timeoutMs: 100 }))
    const waiting = errorOf(session.query('next'))
    world.clock.advance(100)
    await expect(running).resolves.toMatchObject({
      name: 'TimeoutError',
      phase: 'AwaitingResponse',
      failure: { kind: 'deadline', timeoutMs: 100 },
    })
    // The deadline was the first one's: to the others the session was lost, and they can see why.
    for (const other of [await waiting, await errorOf(session.query('later'))]) {
      expect(other).toMatchObject({ name: 'SessionError', failure: { kind: 'lost', code: 'ECLOSED' } })
      expect(other.cause).toBe(await running)
    }
    expect(session.phase).toBe('Failed')
    expect(server.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
  })

  it('that passes after an error of the server is still what ends the query', async () => {
    const { session, world } = await sessionWith((server) => server.send(ERROR))
    const running = errorOf(session.query('slow', { timeoutMs: 100 }))
    const waiting = errorOf(session.query('next'))
    await settle()
    expect(session.phase).toBe('AwaitingEndOfQuery')
    world.clock.advance(100)
    await expect(running).resolves.toMatchObject({ name: 'TimeoutError', phase: 'AwaitingEndOfQuery' })
    await expect(waiting).resolves.toMatchObject({ failure: { kind: 'lost' } })
  })

  it('of a query that waits takes it out of the line, and nothing else', async () => {
    const { session, server, world } = await sessionWith()
    const caller = new AbortController()
    const running = session.query('first')
    const waiting = errorOf(session.query('second', { signal: caller.signal }))
    const last = session.query('third')
    const reason = new Error('not needed any more')
    caller.abort(reason)
    const error = await waiting
    expect(error).toMatchObject({ name: 'AbortError', failure: { kind: 'aborted' } })
    expect(error.cause).toBe(reason)
    server.send({ type: 'CommandComplete', commandTag: 'one' }, READY)
    await running
    server.send({ type: 'CommandComplete', commandTag: 'three' }, READY)
    await expect(last).resolves.toMatchObject([{ commandTag: 'three' }])
    expect(server.received.filter(({ type }) => type === 'Query')).toMatchObject([
      { query: 'first' },
      { query: 'third' },
    ])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(world.clock.activeTimers).toBe(0)
  })

  it('of a signal that several queries share is that of each, and not of those without it', async () => {
    const { session } = await sessionWith()
    const caller = new AbortController()
    const under = { signal: caller.signal }
    const asked = [session.query('first', under), session.query('second', under), session.query('third')].map(errorOf)
    const reason = new Error('none of them is needed')
    caller.abort(reason)
    const [first, second, third] = await Promise.all(asked)
    for (const error of [first, second]) expect(error).toMatchObject({ name: 'AbortError', cause: reason })
    expect(third).toMatchObject({ name: 'SessionError', failure: { kind: 'lost', code: 'ECLOSED' } })
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('that is over before the call sends nothing and leaves the session as it was', async () => {
    const { session, server } = await sessionWith((self) =>
      self.send({ type: 'CommandComplete', commandTag: '' }, READY),
    )
    await expect(errorOf(session.query('never', { timeoutMs: 0 }))).resolves.toMatchObject({ name: 'TimeoutError' })
    await expect(errorOf(session.query('never', { signal: AbortSignal.abort() }))).resolves.toMatchObject({
      name: 'AbortError',
    })
    expect(server.names).not.toContain('Query')
    await expect(session.query('now')).resolves.toHaveLength(1)
  })
})

describe('the server', () => {
  it('may end an idle session, with its reason', async () => {
    const { session, server } = await sessionWith()
    server.send({
      type: 'ErrorResponse',
      fields: [
        { code: 'V', value: 'FATAL' },
        { code: 'C', value: '57P01' },
      ],
    })
    server.end()
    await settle()
    expect(session.phase).toBe('Failed')
    expect(server.destroyed).toBe(true)
    await expect(errorOf(session.query('select'))).resolves.toMatchObject({ sqlstate: '57P01', phase: 'Idle' })
  })

  it.each([
    ['FIN', 'FIN'],
    ['a reset', 'ECONNRESET'],
  ] as const)('may go without a word: %s', async (_name, code) => {
    const { session, server } = await sessionWith()
    const running = errorOf(session.query('select'))
    await settle()
    server.end(code)
    const error = await running
    expect(error).toMatchObject({ failure: { kind: 'lost', code }, phase: 'AwaitingResponse' })
    expect(server.destroyed).toBe(true)
    if (code === 'ECONNRESET') expect(error.cause).toMatchObject({ name: 'TransportError' })
  })

  it.each([
    ['bytes that are no message', Buffer.from('?'), { kind: 'malformed' }],
    ['a message that does not belong', Buffer.from('D\0\0\0\x06\0\0'), { kind: 'misbehaved', received: 'DataRow' }],
  ])('that sends %s ends the session', async (_name, bytes, failure) => {
    const { session, server } = await sessionWith()
    const running = errorOf(session.query('select'))
    await settle()
    server.sendBytes(bytes)
    await expect(running).resolves.toMatchObject({ failure })
    expect(session.phase).toBe('Failed')
    expect(server.destroyed).toBe(true)
  })

  it('cannot fill our memory with parameters', async () => {
    const { session, server } = await sessionWith()
    for (let count = 0; count <= 512; count++) server.send({ type: 'ParameterStatus', name: `p${count}`, value: '' })
    await settle()
    expect(session.phase).toBe('Failed')
    await expect(errorOf(session.query('select'))).resolves.toMatchObject({
      failure: { kind: 'limit', what: 'parameters', limit: 512 },
    })
  })

  it('reports parameters and notices while nobody asks', async () => {
    const { session, server } = await sessionWith()
    const parameters = session.parameters
    server.send({ type: 'ParameterStatus', name: 'TimeZone', value: 'UTC' })
    for (let count = 0; count < 1_010; count++) {
      server.send({ type: 'NoticeResponse', fields: [{ code: 'M', value: `notice ${count}` }] })
    }
    server.send({ type: 'NotificationResponse', processId: 1, channel: 'c', payload: '' })
    await settle()
    expect(parameters.get('TimeZone')).toBe('UTC')
    expect(session.notices).toHaveLength(1_000)
    expect(session.notices.at(-1)?.message).toBe('notice 1009')
    expect(session.phase).toBe('Idle')
  })
})

describe('a defect of ours', () => {
  it('leaves nobody waiting, and can be seen', async () => {
    const { session, server } = await sessionWith()
    const running = errorOf(session.query('select'))
    await settle()
    const defect = new TypeError('a defect')
    server.sendBytes({
      get length() {
        throw defect
      },
    } as never)
    const error = await running
    expect(error).toMatchObject({ failure: { kind: 'lost', code: 'EDEFECT' } })
    expect(error.cause).toBe(defect)
    expect(server.destroyed).toBe(true)
  })

  it('in sending does the same', async () => {
    const { session, server } = await sessionWith()
    const defect = new RangeError('cannot be sent')
    server.failWrites(defect)
    const error = await errorOf(session.query('select'))
    expect(error).toMatchObject({ failure: { code: 'EDEFECT' } })
    expect(error.cause).toBe(defect)
  })
})

describe('what is printed', () => {
  it('holds no key for cancel requests', async () => {
    const session = await worldOf(lawful()).connect()
    const shown = `${inspect(session, { depth: 10, showHidden: true })} ${JSON.stringify(session)}`
    expect(session.backendKeyData?.processId).toBe(4711)
    expect([...(session.backendKeyData?.secretKey ?? [])]).toEqual([1, 2, 3, 4])
    expect(shown).toContain('4711')
    expect(shown).not.toMatch(/01 02 03 04|\[ ?1, ?2, ?3, ?4|1,2,3,4/)
    await session.close()
  })
})

describe('close', () => {
  it('says Terminate, waits for the server, and refuses what comes later', async () => {
    const server = lawful()
    const world = worldOf(server)
    const session = await world.connect()
    const closing = session.close()
    const again = session.close()
    await expect(errorOf(session.query('too late'))).resolves.toMatchObject({ failure: { code: 'ECLOSED' } })
    await Promise.all([closing, again])
    expect(server.names.filter((name) => name === 'Terminate')).toHaveLength(1)
    expect(session.phase).toBe('Closed')
    expect(server.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
    await session.close()
  })

  it('lets the queries finish that were asked for', async () => {
    const { session, server } = await sessionWith()
    const first = session.query('first')
    const second = session.query('second')
    const closing = session.close()
    await settle()
    server.send({ type: 'CommandComplete', commandTag: 'one' }, READY)
    await first
    server.send({ type: 'CommandComplete', commandTag: 'two' }, READY)
    await second
    await settle()
    expect(server.names.at(-1)).toBe('Terminate')
    server.end()
    await closing
    expect(session.phase).toBe('Closed')
  })

  it.each(['its deadline', 'its signal'])('lets go at %s if the server does not', async (which) => {
    const { session, server, world } = await sessionWith()
    const running = errorOf(session.query('for ever'))
    const caller = new AbortController()
    const closing = session.close({ signal: caller.signal, timeoutMs: 200 })
    await settle()
    if (which === 'its deadline') world.clock.advance(200)
    else caller.abort()
    await closing
    await expect(running).resolves.toMatchObject({ failure: { kind: 'lost', code: 'ECLOSED' } })
    expect(session.phase).toBe('Closed')
    expect(server.destroyed).toBe(true)
    expect(world.clock.activeTimers).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('may be called again with less patience', async () => {
    const { session, server, world } = await sessionWith()
    const running = errorOf(session.query('for ever'))
    const patient = session.close({ timeoutMs: 60_000 })
    await settle()
    await session.close({ signal: AbortSignal.abort() })
    await patient
    await running
    expect(server.destroyed).toBe(true)
    expect(session.phase).toBe('Closed')
    expect(world.clock.activeTimers).toBe(0)
  })

  it('is not disturbed by what the server still has to say', async () => {
    const { session, server } = await sessionWith()
    const closing = session.close()
    await settle()
    server.send({ type: 'ErrorResponse', fields: [{ code: 'V', value: 'FATAL' }] })
    server.end()
    await closing
    expect(session.phase).toBe('Closed')
  })

  it('with no time at all destroys the socket at once', async () => {
    const { session, server } = await sessionWith()
    await session.close({ timeoutMs: 0 })
    expect(server.destroyed).toBe(true)
    expect(session.phase).toBe('Closed')
  })

  it('happens by itself at the end of an `await using`', async () => {
    const server = lawful()
    let kept: Session | undefined
    {
      await using session = await worldOf(server).connect()
      kept = session
      await session.query('one')
    }
    expect(kept.phase).toBe('Closed')
    expect(server.destroyed).toBe(true)
  })

  it('of a session that has failed is nothing more to do', async () => {
    const { session, server } = await sessionWith()
    server.end()
    await settle()
    await session.close()
    expect(session.phase).toBe('Failed')
  })
})

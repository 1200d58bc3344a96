import { lookup } from 'node:dns/promises'
import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { Account, orphans } from '../../src/net/orphans.ts'
import { createResolver, type Lookup, resolveHost } from '../../src/net/resolve.ts'
import { TransportError } from '../../src/net/transport.ts'
import { expectNoMoreThan, openResources, turn, untilTrue } from './resources.ts'

describe('a host', () => {
  it.each([
    ['127.0.0.1', { address: '127.0.0.1', family: 4 }],
    ['::1', { address: '::1', family: 6 }],
    ['2001:db8::5432', { address: '2001:db8::5432', family: 6 }],
  ])('that is the address %s is that address', async (host, address) => {
    const caller = new AbortController()
    await expect(resolveHost(host, caller.signal)).resolves.toEqual([address])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('that is a name has all its addresses, in the order of the operating system', async () => {
    const addresses = await resolveHost('localhost', new AbortController().signal)
    expect(addresses.length).toBeGreaterThan(0)
    expect(addresses).toEqual(await lookup('localhost', { all: true, order: 'verbatim' }))
  })

  it('that does not exist is named, with the code of the operating system', async () => {
    const caller = new AbortController()
    // RFC 6761 section 6.4: nothing exists under .invalid. Where no name server answers, nobody can know.
    const error = await resolveHost('db.invalid', caller.signal).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
      message: expect.stringContaining('db.invalid'),
      cause: expect.objectContaining({ syscall: 'getaddrinfo' }),
    })
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('is not waited for once the signal is aborted, though getaddrinfo cannot be stopped', async () => {
    const before = openResources()
    const caller = new AbortController()
    const reason = new Error('enough')
    const resolving = resolveHost('localhost', caller.signal).catch((error: unknown) => error)
    caller.abort(reason)
    await expect(Promise.race([resolving, turn()])).resolves.toBe(reason)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(openResources()).toContain('GetAddrInfoReqWrap')
    expect(orphans().lookups).toBe(1)
    await untilTrue(() => orphans().lookups === 0, 'getaddrinfo has answered')
    await expectNoMoreThan(before)
  })

  it('is not looked up on a signal that is aborted already', async () => {
    const before = openResources()
    await expect(resolveHost('localhost', AbortSignal.abort('before'))).rejects.toBe('before')
    expect(openResources()).toEqual(before)
  })
})

/** getaddrinfo that answers when the test says so; one entry a lookup, in order. */
function createSystem() {
  const asked: { host: string; answer: (...addresses: string[]) => void; fail: (code?: string) => void }[] = []
  const lookup = vi.fn<Lookup>((host, _options, done) => {
    asked.push({
      host,
      answer: (...addresses) =>
        done(
          null,
          addresses.map((address) => ({ address, family: 4 })),
        ),
      fail: (code) =>
        done(Object.assign(new Error(`getaddrinfo ${code} ${host}`), code === undefined ? {} : { code }), []),
    })
  })
  const account = new Account()
  const resolve = createResolver({ lookup, account })
  const failure = (host: string, signal: AbortSignal) => resolve(host, signal).catch((reason: unknown) => reason)
  return { asked, lookup, account, resolve, failure, names: () => asked.map(({ host }) => host) }
}

const never = () => new AbortController().signal

describe('a lookup', () => {
  it('is shared by all who ask for the name while it runs, each with a signal of his own', async () => {
    const { asked, account, resolve, failure, names } = createSystem()
    const caller = new AbortController()
    const leaving = failure('db.example', caller.signal)
    const staying = Array.from({ length: 999 }, () => resolve('db.example', never()))
    expect(names()).toEqual(['db.example'])
    caller.abort('enough')
    await expect(leaving).resolves.toBe('enough')
    expect(account).toMatchObject({ running: 1, orphaned: 0 })
    asked[0]?.answer('192.0.2.1', '192.0.2.2')
    for (const addresses of await Promise.all(staying)) {
      expect(addresses.map(({ address }) => address)).toEqual(['192.0.2.1', '192.0.2.2'])
    }
    expect(account).toMatchObject({ running: 0, orphaned: 0 })
  })

  it('of another name is another one', async () => {
    const { asked, resolve, names } = createSystem()
    const [one, other] = [resolve('one.example', never()), resolve('other.example', never())]
    expect(names()).toEqual(['one.example', 'other.example'])
    asked[1]?.answer('192.0.2.2')
    asked[0]?.answer('192.0.2.1')
    await expect(one).resolves.toEqual([{ address: '192.0.2.1', family: 4 }])
    await expect(other).resolves.toEqual([{ address: '192.0.2.2', family: 4 }])
  })

  it('is not remembered: whoever asks after its end asks anew', async () => {
    const { asked, resolve, failure, names } = createSystem()
    const failing = failure('db.example', never())
    asked[0]?.fail('EAI_AGAIN')
    await expect(failing).resolves.toMatchObject({ code: 'EAI_AGAIN' })
    const answered = resolve('db.example', never())
    asked[1]?.answer('192.0.2.1')
    await answered
    void resolve('db.example', never())
    expect(names()).toHaveLength(3)
  })

  it('that nobody waits for is an orphan until it ends, and whoever comes meanwhile has its answer', async () => {
    const { asked, account, resolve, failure, names } = createSystem()
    const caller = new AbortController()
    const leaving = failure('db.example', caller.signal)
    const other = failure('other.example', caller.signal)
    expect(account).toMatchObject({ running: 2, orphaned: 0 })
    caller.abort('enough')
    await Promise.all([leaving, other])
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(account).toMatchObject({ running: 2, orphaned: 2 })

    const late = resolve('db.example', never())
    expect(names()).toHaveLength(2)
    expect(account.orphaned).toBe(1)
    asked[0]?.answer('192.0.2.1')
    await expect(late).resolves.toEqual([{ address: '192.0.2.1', family: 4 }])
    expect(account).toMatchObject({ running: 1, orphaned: 1 })
    asked[1]?.fail('ENOTFOUND')
    expect(account).toMatchObject({ running: 0, orphaned: 0 })
  })

  it('that fails tells each who waits, with an error of his own', async () => {
    const { asked, failure } = createSystem()
    const failing = [failure('db.example', never()), failure('db.example', never())]
    asked[0]?.fail('ENOTFOUND')
    const [first, second] = (await Promise.all(failing)) as [TransportError, TransportError]
    expect(first).toBeInstanceOf(TransportError)
    expect(first).toMatchObject({ code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND db.example' })
    expect(second).not.toBe(first)
    expect(second.cause).toBe(first.cause)
  })

  it('that fails without a code has one', async () => {
    const { asked, failure } = createSystem()
    const failing = failure('db.example', never())
    asked[0]?.fail()
    await expect(failing).resolves.toMatchObject({ code: 'EAI_FAIL' })
  })

  it('that finds no address has failed', async () => {
    const { asked, failure } = createSystem()
    const failing = failure('db.example', never())
    asked[0]?.answer()
    await expect(failing).resolves.toMatchObject({ code: 'ENOTFOUND', message: 'db.example has no address' })
  })

  it('that finds thousands gives the first 48', async () => {
    const { asked, resolve } = createSystem()
    const resolving = resolve('db.example', never())
    const all = Array.from({ length: 4_096 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)
    asked[0]?.answer(...all)
    expect((await resolving).map(({ address }) => address)).toEqual(all.slice(0, 48))
  })

  it('that cannot even begin leaves nothing behind', async () => {
    const account = new Account()
    const lookup = vi.fn<Lookup>(() => {
      throw new TypeError('no such host')
    })
    const resolve = createResolver({ lookup, account })
    await expect(resolve('db.example', never())).rejects.toThrow('no such host')
    await expect(resolve('db.example', never())).rejects.toThrow('no such host')
    expect(lookup).toHaveBeenCalledTimes(2)
    expect(account.running).toBe(0)
  })

  it('is not needed for an address, be there a zone in it', async () => {
    const { resolve, names } = createSystem()
    await expect(resolve('127.0.0.1', never())).resolves.toEqual([{ address: '127.0.0.1', family: 4 }])
    await expect(resolve('fe80::1%lo', never())).resolves.toEqual([{ address: 'fe80::1%lo', family: 6 }])
    expect(names()).toEqual([])
  })
})

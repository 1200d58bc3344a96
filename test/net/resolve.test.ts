import { lookup } from 'node:dns/promises'
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { resolveHost } from '../../src/net/resolve.ts'
import { TransportError } from '../../src/net/transport.ts'
import { expectNoMoreThan, openResources, turn } from './resources.ts'

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
    await expectNoMoreThan(before)
  })

  it('is not looked up on a signal that is aborted already', async () => {
    const before = openResources()
    await expect(resolveHost('localhost', AbortSignal.abort('before'))).rejects.toBe('before')
    expect(openResources()).toEqual(before)
  })
})

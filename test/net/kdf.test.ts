import { pbkdf2Sync } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/auth/secret.ts'
import { deriveKey } from '../../src/net/kdf.ts'
import { turn } from './resources.ts'

// RFC 7677 section 3.
const PASSWORD = 'pencil'
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

describe('the salted password', () => {
  it('of RFC 7677 is PBKDF2-HMAC-SHA-256 of 32 bytes', async () => {
    const caller = new AbortController()
    const key = await deriveKey({ password: new Secret(PASSWORD), salt: SALT, iterations: 4_096 }, caller.signal)
    expect(Buffer.from(key)).toEqual(pbkdf2Sync(PASSWORD, SALT, 4_096, 32, 'sha256'))
    expect(Buffer.from(key).toString('hex')).toBe('c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d')
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
  })

  it('takes the bytes of the password as UTF-8', async () => {
    const { signal } = new AbortController()
    const key = await deriveKey({ password: new Secret('pässwörd 🐘'), salt: SALT, iterations: 1 }, signal)
    expect(Buffer.from(key)).toEqual(pbkdf2Sync(Buffer.from('pässwörd 🐘', 'utf8'), SALT, 1, 32, 'sha256'))
  })

  it('is not waited for once the signal is aborted, though its computation cannot be stopped', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    // About 100 ms on one of libuv's four threads.
    const effect = { password: new Secret(PASSWORD), salt: SALT, iterations: 300_000 }
    const deriving = deriveKey(effect, caller.signal).catch((error: unknown) => error)
    caller.abort(reason)
    await expect(Promise.race([deriving, turn()])).resolves.toBe(reason)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    // The result is dropped when it comes: a key that is asked for behind it is not disturbed.
    await expect(
      deriveKey({ password: new Secret(PASSWORD), salt: SALT, iterations: 1 }, new AbortController().signal),
    ).resolves.toHaveLength(32)
  })

  it('is not begun on a signal that is aborted already', async () => {
    const effect = { password: new Secret(PASSWORD), salt: SALT, iterations: 2 ** 31 - 1 }
    await expect(deriveKey(effect, AbortSignal.abort('before'))).rejects.toBe('before')
  })
})

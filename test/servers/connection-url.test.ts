import { expect, it } from 'vitest'
import { writeUrl } from './connection-url.ts'

const DEFAULTS = { host: '127.0.0.1', port: 5432, user: 'postgres', password: 's', database: 'postgres' }

it('without parts, the URI is the superuser’s', () => {
  expect(writeUrl(DEFAULTS)).toBe('postgres://postgres:s@127.0.0.1:5432/postgres')
})

it('odd characters are percent-encoded, a blank as %20', () => {
  const parts = { user: 'ä@b', password: "p:/?#[]@'", database: 'my db', parameters: { options: '-c a=b' } }
  expect(writeUrl(DEFAULTS, parts)).toBe(
    'postgres://%C3%A4%40b:p%3A%2F%3F%23%5B%5D%40%27@127.0.0.1:5432/my%20db?options=-c%20a%3Db',
  )
})

it('another user does not get the superuser’s password', () => {
  expect(writeUrl(DEFAULTS, { user: 'app' })).toBe('postgres://app@127.0.0.1:5432/postgres')
})

it('a socket directory is encoded into the host’s place, an IPv6 address is bracketed', () => {
  expect(writeUrl(DEFAULTS, { host: '/tmp/s' })).toBe('postgres://postgres:s@%2Ftmp%2Fs:5432/postgres')
  expect(writeUrl(DEFAULTS, { host: '::1' })).toBe('postgres://postgres:s@[::1]:5432/postgres')
})

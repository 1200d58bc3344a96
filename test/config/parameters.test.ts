import { expect, test } from 'vitest'
import { NOT_BUILT, PARAMETERS } from '../../src/config/parameters.ts'
import type { ConnectTarget } from '../../src/config/target.ts'

// Does not compile unless it names every property of the public type, and no other.
const PROPERTIES: Readonly<Record<keyof ConnectTarget, true>> = {
  host: true,
  hostaddr: true,
  port: true,
  dbname: true,
  user: true,
  password: true,
  passfile: true,
  service: true,
  connectTimeout: true,
  targetSessionAttrs: true,
  loadBalanceHosts: true,
  keepalives: true,
  keepalivesIdle: true,
  clientEncoding: true,
  applicationName: true,
  fallbackApplicationName: true,
  options: true,
  sslmode: true,
  sslnegotiation: true,
  sslrootcert: true,
  sslcert: true,
  sslkey: true,
  sslpassword: true,
  sslcertmode: true,
  sslcrl: true,
  sslsni: true,
  sslMinProtocolVersion: true,
  sslMaxProtocolVersion: true,
  tls: true,
  channelBinding: true,
  requireAuth: true,
  gssencmode: true,
  minProtocolVersion: true,
  maxProtocolVersion: true,
  allowCleartextPassword: true,
  scramIterationsMin: true,
  scramIterationsMax: true,
  scramClientKey: true,
  scramServerKey: true,
  earlySasl: true,
  rememberServers: true,
  scramKeyCache: true,
}

const rows = Object.entries(PARAMETERS)

test('the table and the public type name the same properties', () => {
  expect(rows.map(([, { property }]) => property).sort()).toEqual(Object.keys(PROPERTIES).sort())
})

test('a property is its parameter in camelCase', () => {
  for (const [name, { property }] of rows) {
    expect(property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).toBe(name)
  }
})

test('every parameter has a place in the manual, except those that are ours', () => {
  const ours = rows.filter(([, { anchor }]) => anchor === null).map(([name]) => name)
  expect(ours).toEqual([
    'allow_cleartext_password',
    'scram_iterations_min',
    'scram_iterations_max',
    'early_sasl',
    'remember_servers',
    'scram_key_cache',
    'tls',
  ])
  for (const [name, { anchor }] of [...rows, ...Object.entries(NOT_BUILT)]) {
    if (anchor !== null)
      expect(anchor).toMatch(new RegExp(`^#LIBPQ-(CONNECT-)?${name.replaceAll('_', '-').toUpperCase()}$`))
  }
})

test('a parameter is built or it is not', () => {
  for (const [name] of rows) expect(NOT_BUILT).not.toHaveProperty(name)
})

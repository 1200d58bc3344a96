/**
 * The parameters of a StartupMessage: the user, mostly a database, and settings of the server.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE.
 */
import fc from 'fast-check'
import { arbitraryText } from './message.ts'

/** A name and a value, as a StartupMessage has them. */
export interface StartupParameter {
  readonly name: string
  readonly value: string
}

const SETTINGS = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'options',
  'search_path',
  'TimeZone',
  'replication',
]

/**
 * What may stand in a StartupMessage: `user` once and first, each other name once, no name empty. The values are any text:
 * what a server thinks of them is its own affair.
 *
 * @example
 * fc.assert(fc.property(arbitraryStartupParameters(), ([user]) => user?.name === 'user'))
 */
export function arbitraryStartupParameters(): fc.Arbitrary<readonly StartupParameter[]> {
  const names = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('database', ...SETTINGS) },
    // An option of the protocol, which a server that does not know it must name in NegotiateProtocolVersion.
    arbitraryText(8, 1).map((name) => `_pq_.${name}`),
    arbitraryText(12, 1).filter((name) => name !== 'user'),
  )
  const others = fc.uniqueArray(fc.record({ name: names, value: arbitraryText(20) }, { noNullPrototype: true }), {
    maxLength: 8,
    selector: ({ name }) => name,
  })
  return fc.tuple(arbitraryText(20, 1), others).map(([user, rest]) => [{ name: 'user', value: user }, ...rest])
}

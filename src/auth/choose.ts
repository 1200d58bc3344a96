/**
 * The choice among the SASL mechanisms that the server offers. Knows nothing of how a mechanism works,
 * nor of what the user requires: `require_auth` and `channel_binding` are judged elsewhere.
 *
 * Manual: #SASL-AUTHENTICATION and AuthenticationSASL in #PROTOCOL-MESSAGE-FORMATS.
 */
import { Fault } from '../protocol/failure.ts'
import type { ScramMechanism } from './scram.ts'

const SUPPORTED: ScramMechanism = 'SCRAM-SHA-256'

/** The mechanism to use. Throws a Fault (`incompatible`) if the server offers none that we speak. */
export function chooseMechanism(offered: readonly string[]): ScramMechanism {
  // SCRAM-SHA-256-PLUS binds to a TLS channel, and there is none: it is not for us to choose.
  if (offered.includes(SUPPORTED)) return SUPPORTED
  throw new Fault({
    kind: 'incompatible',
    what: 'SASL mechanism',
    offered: offered.map(presentable),
    supported: [SUPPORTED],
  })
}

/** A name that is no name by RFC 4422 section 3.1 comes from a stranger and is not passed on to anybody's terminal. */
function presentable(mechanism: string): string {
  return /^[A-Z0-9_-]{1,20}$/.test(mechanism) ? mechanism : '(not a mechanism name)'
}

/**
 * The catalogue: what a hostile or broken server may do to a client that connects, and how the client must end it.
 * Data, for any client that can be pointed at an address; what is expected is derived from the protocol's
 * specification and from what has gone wrong elsewhere, never from what this library happens to do.
 */
import type { Attack } from './attack.ts'
import { AUTHENTICATION } from './attacks/authentication.ts'
import { EARLY_SASL } from './attacks/early.ts'
import { FRAMING } from './attacks/framing.ts'
import { ORDERED } from './attacks/order.ts'
import { SCRAM } from './attacks/scram.ts'
import { STARTUP } from './attacks/startup.ts'
import { TIME } from './attacks/time.ts'
import { TLS } from './attacks/tls.ts'

/** Every attack, by theme. Ids are unique and stay what they are. */
export const ATTACKS: readonly Attack[] = [
  ...FRAMING,
  ...ORDERED,
  ...AUTHENTICATION,
  ...EARLY_SASL,
  ...SCRAM,
  ...STARTUP,
  ...TIME,
  ...TLS,
]

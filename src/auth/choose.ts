/**
 * The choice among the SASL mechanisms that the server offers, and with it whether the exchange is bound to the TLS
 * channel. The rules are libpq's (pg_SASL_init in fe-auth.c, build_client_first_message in fe-auth-scram.c). Knows nothing
 * of how a mechanism works, nor of `require_auth`.
 *
 * Manual: #SASL-AUTHENTICATION, #LIBPQ-CONNECT-CHANNEL-BINDING, and AuthenticationSASL in #PROTOCOL-MESSAGE-FORMATS.
 */
import { Fault } from '../protocol/failure.ts'
import type { ScramMechanism } from './scram.ts'

/** Manual: #LIBPQ-CONNECT-CHANNEL-BINDING. */
export type ChannelBindingPolicy = 'disable' | 'prefer' | 'require'

/**
 * gs2-cbind-flag of RFC 5802 section 7. `n`: we do not bind. `y`: we would, but the server offers no way; a server that did
 * offer one learns from it that its offer was taken out on the way, and ends the login. `p`: bound, to `data`.
 */
export type ChannelBinding =
  | { readonly flag: 'n' }
  | { readonly flag: 'y' }
  | { readonly flag: 'p'; readonly data: Uint8Array }

/** What the exchange runs in. */
export interface Channel {
  /** Inside TLS. */
  readonly secured: boolean
  /** What `tlsServerEndPoint` gave for the server's certificate. */
  readonly endPoint: Uint8Array | null
}

export interface Choice {
  readonly mechanism: ScramMechanism
  readonly binding: ChannelBinding
}

const PLAIN: ScramMechanism = 'SCRAM-SHA-256'
const PLUS: ScramMechanism = 'SCRAM-SHA-256-PLUS'

/**
 * The mechanism to use. Throws a Fault: `policy` (channel binding is required and cannot be had, or is offered and cannot be
 * done), `misbehaved` (it is offered where there is no TLS to bind to), `incompatible` (nothing is offered that we speak).
 */
export function chooseMechanism(offered: readonly string[], policy: ChannelBindingPolicy, channel: Channel): Choice {
  if (policy === 'require' && !channel.secured) {
    throw new Fault({
      kind: 'policy',
      what: 'channel binding is required, and the connection is not encrypted',
      advice: 'connect with TLS (sslmode=require or above)',
    })
  }
  if (offered.includes(PLUS) && !channel.secured) {
    // The server thinks that it speaks TLS with us and somebody else does: it would refuse our answer anyway.
    throw new Fault({
      kind: 'misbehaved',
      expected: ['no offer of channel binding on a connection without TLS'],
      received: PLUS,
    })
  }
  const bindable = channel.secured && policy !== 'disable'
  if (offered.includes(PLUS) && bindable) return { mechanism: PLUS, binding: bind(channel) }
  if (!offered.includes(PLAIN)) {
    throw new Fault({
      kind: 'incompatible',
      what: 'SASL mechanism',
      offered: offered.map(presentable),
      supported: bindable ? [PLUS, PLAIN] : [PLAIN],
    })
  }
  if (policy === 'require') {
    throw new Fault({
      kind: 'policy',
      what: 'channel binding is required, and the server does not offer SCRAM-SHA-256-PLUS',
      advice: 'look for a proxy that ends TLS before the server, or set channel_binding=prefer',
    })
  }
  // As in libpq, 'y' does not depend on the certificate: a stranger chooses which one he shows us.
  return { mechanism: PLAIN, binding: { flag: bindable ? 'y' : 'n' } }
}

function bind({ endPoint }: Channel): ChannelBinding {
  if (endPoint !== null) return { flag: 'p', data: endPoint }
  // libpq ends here too, and with it `prefer`: whoever stands between could otherwise pick a certificate without a hash.
  throw new Fault({
    kind: 'policy',
    what: "the server offers channel binding, but its certificate's signature names no hash to bind to",
    advice:
      'give the server a certificate signed with RSA or ECDSA, or set channel_binding=disable and verify it (sslmode=verify-full)',
  })
}

/** A name that is no name by RFC 4422 section 3.1 comes from a stranger and is not passed on to anybody's terminal. */
function presentable(mechanism: string): string {
  return /^[A-Z0-9_-]{1,20}$/.test(mechanism) ? mechanism : '(not a mechanism name)'
}

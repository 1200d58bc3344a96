/**
 * What we agree to when the server says how we are to prove ourselves: the method, the mechanism, the binding, with what
 * we have. Whoever asks for less than was required is refused here, before anything is proved to him.
 *
 * Manual: #AUTH-METHODS, #SASL-AUTHENTICATION, #LIBPQ-CONNECT-REQUIRE-AUTH, #LIBPQ-CONNECT-CHANNEL-BINDING.
 */
import { tlsServerEndPoint } from '../../auth/channel-binding.ts'
import { type Choice, chooseMechanism } from '../../auth/choose.ts'
import { allows } from '../../auth/require-auth.ts'
import { parseScramKey, type ScramKeys } from '../../auth/scram.ts'
import { Fault } from '../../protocol/failure.ts'
import { EARLY_SASL } from './policy.ts'
import type { Attempt, AuthenticationMethod, StateOf } from './states.ts'

/** require_auth: a server that asks for less than was required is not answered. */
export function admit({ requireAuth }: Attempt, method: AuthenticationMethod): void {
  if (allows(requireAuth, method)) return
  const asked = method === 'none' ? 'let us in without authentication' : `asked for ${method}`
  throw new Fault({
    kind: 'policy',
    what: `the server ${asked}, which require_auth does not allow; nothing was proved to it`,
    advice: "change the server's pg_hba.conf, or require_auth if this method is good enough for you",
  })
}

/** CVE-2025-49146: a requirement of channel binding holds whatever method the server chooses. */
export function checkUnbound({ channelBinding }: Attempt): void {
  if (channelBinding !== 'require') return
  throw new Fault({
    kind: 'policy',
    what: 'channel binding is required, and the server did not choose a method that has it; nothing was proved to it',
    advice: 'let the server use scram-sha-256 (pg_hba.conf)',
  })
}

/** The mechanism for what the server offers. */
export function choose(
  { attempt, greeting }: StateOf<'AwaitingAuthentication' | 'AwaitingSaslOffer'>,
  mechanisms: readonly string[],
): Choice {
  const { channelBinding: policy } = attempt
  const { tls } = greeting
  const isOffered = policy !== 'disable' && mechanisms.includes('SCRAM-SHA-256-PLUS')
  const certificate = isOffered ? (tls?.serverCertificate ?? null) : null
  const endPoint = certificate === null ? null : tlsServerEndPoint(certificate)
  return chooseMechanism(mechanisms, policy, { secured: tls !== null, endPoint })
}

/** Where only SCRAM was allowed `admit` has said so; this is about a server that is not as it is remembered. */
export function misguessed({ guess }: StateOf<'AwaitingSaslOffer'>, received: string): Fault {
  return new Fault({
    kind: 'incompatible',
    what: EARLY_SASL,
    offered: [received],
    supported: [guess.mechanism],
  })
}

export function iterationsOf({
  scramIterationsMin: min,
  scramIterationsMax: max,
}: Attempt): StateOf<'AwaitingSaslChallenge'>['iterations'] {
  return { min, max }
}

/** The keys that the caller has brought in place of a password, or null. */
export function keysOf({ scramKeys }: Attempt): ScramKeys | null {
  if (scramKeys === null) return null
  const [clientKey, serverKey] = [scramKeys.clientKey, scramKeys.serverKey].map((key) => parseScramKey(key.reveal()))
  if (clientKey && serverKey) return { clientKey, serverKey }
  throw new Fault({ kind: 'config', parameter: 'scram_client_key', problem: 'expected base64 of 32 bytes' })
}

export function checkPassword({ hasPassword }: Attempt, method: AuthenticationMethod): void {
  if (hasPassword) return
  throw new Fault({
    kind: 'config',
    parameter: 'password',
    problem: `the server asked for a password (${method}) and none was given`,
  })
}

export function unsupported(method: string): never {
  throw new Fault({
    kind: 'incompatible',
    what: 'authentication method',
    offered: [method],
    supported: ['none', 'password', 'md5', 'scram-sha-256'],
  })
}

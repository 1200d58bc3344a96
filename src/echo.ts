/**
 * A server that was lawfully told something secret (a password in plaintext, an MD5 answer, a SCRAM proof) may say it back in
 * an ErrorResponse, and from there it would come into logs. No honest server does. Here it is withheld.
 */
import type { Failure } from './protocol/failure.ts'
import type { FrontendMessage } from './protocol/frontend.ts'
import type { StartupPacket } from './protocol/startup.ts'

/** Shorter ones would be found in ordinary words, and taking them out would tell what they are. */
const SECRET_LENGTH_MIN = 6

const WITHHELD = '(withheld: what proves who we are)'

/** What of our message must not come back. */
export function secretsOf(message: StartupPacket | FrontendMessage): readonly string[] {
  switch (message.type) {
    case 'PasswordMessage':
      return [message.password]
    case 'SASLResponse': {
      // RFC 5802 section 7: the proof is the last attribute of the client's last message.
      const [, proof] = /,p=([^,]+)$/.exec(Buffer.from(message.data).toString('latin1')) ?? []
      return proof === undefined ? [] : [proof]
    }
    default:
      return []
  }
}

/** The failure without what was said in secret. `known` is no secret: the name of the user may be the password as well. */
export function withholdEcho(failure: Failure, secrets: readonly string[], known: readonly string[]): Failure {
  if (failure.kind !== 'refused') return failure
  const clean = (text: string) => withhold(text, secrets, known)
  return {
    ...failure,
    message: clean(failure.message),
    fields: new Map([...failure.fields].map(([name, value]) => [name, clean(value)])),
  }
}

/** The same for one text of a server. */
export function withhold(text: string, secrets: readonly string[], known: readonly string[]): string {
  const withheld = secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN && !known.includes(secret))
  return withheld.reduce((left, secret) => left.replaceAll(secret, WITHHELD), text)
}

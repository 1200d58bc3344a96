/**
 * The authentication requests: one tag, 'R', and an Int32 that says which of them it is.
 *
 * Manual: #PROTOCOL-MESSAGE-FORMATS-AUTHENTICATIONOK and its neighbours. What is asked is answered in
 * src/auth; which request is lawful when stands in src/state/handshake/table.ts.
 */
import { Fault } from './failure.ts'
import { bytes, constant, rest, string, untilZero } from './layout.ts'
import { decodeBody, type MessageOf, message } from './message.ts'

export const AuthenticationOk = message('AuthenticationOk', 'R', { code: constant(0) })

export const AuthenticationKerberosV5 = message('AuthenticationKerberosV5', 'R', { code: constant(2) })

export const AuthenticationCleartextPassword = message('AuthenticationCleartextPassword', 'R', { code: constant(3) })

export const AuthenticationMD5Password = message('AuthenticationMD5Password', 'R', {
  code: constant(5),
  salt: bytes(4),
})

export const AuthenticationGSS = message('AuthenticationGSS', 'R', { code: constant(7) })

export const AuthenticationGSSContinue = message('AuthenticationGSSContinue', 'R', { code: constant(8), data: rest })

export const AuthenticationSSPI = message('AuthenticationSSPI', 'R', { code: constant(9) })

export const AuthenticationSASL = message('AuthenticationSASL', 'R', {
  code: constant(10),
  mechanisms: untilZero(string),
})

export const AuthenticationSASLContinue = message('AuthenticationSASLContinue', 'R', { code: constant(11), data: rest })

export const AuthenticationSASLFinal = message('AuthenticationSASLFinal', 'R', { code: constant(12), data: rest })

export const AUTHENTICATION_MESSAGES = [
  AuthenticationOk,
  AuthenticationKerberosV5,
  AuthenticationCleartextPassword,
  AuthenticationMD5Password,
  AuthenticationGSS,
  AuthenticationGSSContinue,
  AuthenticationSSPI,
  AuthenticationSASL,
  AuthenticationSASLContinue,
  AuthenticationSASLFinal,
] as const

export type AuthenticationMessage = MessageOf<(typeof AUTHENTICATION_MESSAGES)[number]>

const BY_CODE: ReadonlyMap<number, (typeof AUTHENTICATION_MESSAGES)[number]> = new Map(
  AUTHENTICATION_MESSAGES.map((layout) => [layout.fields.code.type.constant, layout]),
)

/** Decode the body of an 'R' message. Throws Fault 'malformed'; an unknown code is named. */
export function decodeAuthentication(body: Buffer): AuthenticationMessage {
  const code = body.length >= 4 ? body.readInt32BE(0) : undefined
  const layout = code === undefined ? AuthenticationOk : BY_CODE.get(code)
  if (layout === undefined) {
    throw new Fault({
      kind: 'malformed',
      message: 'Authentication',
      field: 'code',
      offset: 0,
      problem: `there is no authentication request ${code}`,
    })
  }
  return decodeBody(layout, body)
}

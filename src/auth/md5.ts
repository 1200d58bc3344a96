/**
 * The answer to AuthenticationMD5Password: two rounds of MD5, the second one salted by the server.
 * Knows nothing of whether answering is wise; MD5 is broken and PostgreSQL has deprecated it, so that is policy.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, under AuthenticationMD5Password.
 */
import { createHash } from 'node:crypto'
import type { Secret } from './secret.ts'

/**
 * What a PasswordMessage carries after AuthenticationMD5Password: 'md5' and 32 lower-case hexadecimal digits.
 * `salt` is the four bytes that the server sent. The password goes in as it is: SASLprep belongs to SCRAM alone.
 */
export function answerMd5(user: string, password: Secret, salt: Uint8Array): string {
  // The inner round is what the server stores; the user's name is its salt. The outer round takes it as hexadecimal text.
  const stored = createHash('md5').update(password.reveal()).update(user).digest('hex')
  return `md5${createHash('md5').update(stored).update(salt).digest('hex')}`
}

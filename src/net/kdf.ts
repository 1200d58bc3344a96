/**
 * The slow computation of SCRAM: SaltedPassword = PBKDF2-HMAC-SHA-256 (RFC 5802 section 3, Hi). It runs on
 * libuv's threads and cannot be stopped: when the signal is aborted the caller is told at once, and the
 * result is dropped when it comes.
 */
import { pbkdf2 } from 'node:crypto'
import type { Secret } from '../auth/secret.ts'
import { until } from './until.ts'

/** 32 bytes. `password` has been through SASLprep. */
export function deriveKey(
  { password, salt, iterations }: { readonly password: Secret; readonly salt: Uint8Array; readonly iterations: number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  return until(signal, (resolve, reject) => {
    pbkdf2(password.reveal(), salt, iterations, 32, 'sha256', (error, key) => (error ? reject(error) : resolve(key)))
    return () => {}
  })
}

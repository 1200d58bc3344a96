/**
 * The password of each host: the one that was given is that of all; without one, each has its own in the password file. The
 * file is read before anybody is dialed, under the deadline, and only if a password may be asked for.
 *
 * A file that cannot be used is passed over, as in libpq, which warns on standard error; here whoever then misses a password
 * is told why. Manual: #LIBPQ-PGPASS.
 */
import * as files from 'node:fs/promises'
import { allows } from './auth/require-auth.ts'
import { Secret } from './auth/secret.ts'
import { findPassword } from './config/passfile.ts'
import type { Passfile, Settings } from './config/settings.ts'
import type { Endpoint } from './net/endpoint.ts'
import { until } from './net/until.ts'
import { type PasswordRequest, passwordOf } from './password-request.ts'
import { LIMITS } from './protocol/limits.ts'

export interface Passwords {
  of(endpoint: Endpoint): PasswordRequest
  /** The connect has settled. */
  end(): void
}

/** A promise only if there is a file to be read. It rejects with `signal.reason` only. */
export function readPasswords(settings: Settings, signal: AbortSignal): Passwords | Promise<Passwords> {
  const { passfile } = settings
  if (passfile !== null && mayBeAsked(settings)) return passwordsIn(passfile, settings.hosts, signal)
  const one = passwordOf(settings, signal)
  return { of: () => one, end: () => one.end() }
}

async function passwordsIn(passfile: Passfile, hosts: Settings['hosts'], signal: AbortSignal): Promise<Passwords> {
  const read = await readPassfile(passfile.path, signal)
  const requests = passfile.entries.map((entry) => {
    if ('problem' in read) return passwordOf({ password: null }, signal, read.problem)
    const password = findPassword(read.text, entry)
    if (password !== null) return passwordOf({ password: new Secret(password) }, signal)
    return passwordOf({ password: null }, signal, 'the password file has none for this host, port, database and user')
  })
  return {
    // One for each host, in the same order.
    of: (endpoint) => requests[hosts.indexOf(endpoint)] as PasswordRequest,
    end: () => {
      for (const request of requests) request.end()
    },
  }
}

/** Whether there is a method left for which a password would be needed. */
function mayBeAsked({ requireAuth, scramKeys }: Settings): boolean {
  const methods = scramKeys === null ? (['scram-sha-256', 'md5', 'password'] as const) : (['md5', 'password'] as const)
  return methods.some((method) => allows(requireAuth, method))
}

type Read = { readonly text: string } | { readonly problem: string }

async function readPassfile(path: string, signal: AbortSignal): Promise<Read> {
  // A file system that hangs is not waited for.
  return until<Read>(signal, (resolve) => {
    readPrivately(path, signal).then(resolve, (error: NodeJS.ErrnoException) => {
      const { code } = error
      resolve({
        problem: code === 'ENOENT' ? 'there is no password file' : unused(`cannot be read (${code ?? error})`),
      })
    })
    return () => {}
  })
}

async function readPrivately(path: string, signal: AbortSignal): Promise<Read> {
  const stats = await files.stat(path)
  // To open a pipe is to wait for its other end, for ever and beyond every deadline.
  if (!stats.isFile()) return { problem: unused('is not a regular file') }
  // On Windows its directory is protected.
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
    return {
      problem: unused(`can be read or written by others (mode ${(stats.mode & 0o777).toString(8)}); make it 600`),
    }
  }
  const { configurationFileBytesMax: bytesMax } = LIMITS
  if (stats.size > bytesMax) return { problem: unused(`has more than ${bytesMax} bytes`) }
  const bytes = await files.readFile(path, { signal })
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.includes('\0') ? { problem: unused('holds a NUL character') } : { text }
  } catch {
    return { problem: unused('is not UTF-8, in which passwords are sent') }
  }
}

function unused(problem: string): string {
  return `the password file was not used: it ${problem}`
}

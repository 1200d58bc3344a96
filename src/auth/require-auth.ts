/**
 * `require_auth`: which ways of authentication the user lets the server choose. A list of methods, or of methods each
 * behind a `!`, in libpq's grammar (pqConnectOptions2 in fe-connect.c): no spaces, nothing twice, nothing empty.
 *
 * Manual: #LIBPQ-CONNECT-REQUIRE-AUTH.
 */

/** `oauth` exists since PostgreSQL 18; `none` is a server that lets us in without a question. */
export type AuthMethodName = (typeof METHODS)[number]

const METHODS = ['password', 'md5', 'gss', 'sspi', 'scram-sha-256', 'oauth', 'none'] as const

/** The methods that may be used; each of the others ends the connection. */
export interface RequireAuth {
  readonly allowed: ReadonlySet<AuthMethodName>
}

/** An empty text allows everything, as if it had not been set. */
export function parseRequireAuth(text: string): RequireAuth | { readonly problem: string } {
  if (text === '') return { allowed: new Set(METHODS) }
  const entries = text.split(',')
  const negated = entries[0]?.startsWith('!') === true
  const named = new Set<AuthMethodName>()
  for (const entry of entries) {
    if (entry.startsWith('!') !== negated) return { problem: 'methods with and without ! cannot be mixed' }
    const method = METHODS.find((name) => name === entry.slice(negated ? 1 : 0))
    if (method === undefined) return { problem: `expected a comma-separated list of ${METHODS.join(', ')}` }
    if (named.has(method)) return { problem: `${method} is given twice` }
    named.add(method)
  }
  return { allowed: new Set(METHODS.filter((method) => named.has(method) !== negated)) }
}

/** Whether a server may let us in by this method. `null`: nothing was required. */
export function allows(
  requireAuth: RequireAuth | null,
  method: 'none' | 'password' | 'md5' | 'scram-sha-256' | 'gss' | 'sspi',
): boolean {
  return requireAuth === null || requireAuth.allowed.has(method)
}

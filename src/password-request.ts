/**
 * The password of a connect. If it is a function, it is asked once, while the connection is being opened, and only if a
 * password can be needed at all; what it gives is waited for when the server asks for it.
 */
import { Secret } from './auth/secret.ts'
import type { Settings } from './config/settings.ts'
import { until } from './net/until.ts'
import { type Failure, Fault } from './protocol/failure.ts'

export interface PasswordRequest {
  /** Whether there is a password, or a function that gives one. */
  readonly exists: boolean
  /** The password itself; null: it has to be fetched, from a function that may take its time. */
  readonly given: Secret | null
  /** Why there is none, as the end of a sentence, if it was looked for; else null. */
  readonly whyNone: string | null
  /** Ask the function, if it is one and nobody has asked yet. Its failure is met by whoever fetches. */
  begin(): void
  /** Rejects with `signal.reason`, and with Fault 'config' if the function fails or gives no password. */
  fetch(signal: AbortSignal): Promise<Secret>
  /** The connect has settled: whoever is still busy for it is told to stop. */
  end(): void
}

/**
 * `connectSignal` is what the function is given, by way of a signal of its own: it is asked by one attempt and answers all of
 * them, so that the end of an attempt's slice is none of its business.
 */
export function passwordOf(
  { password }: Pick<Settings, 'password'>,
  connectSignal: AbortSignal,
  whyNone: string | null = null,
): PasswordRequest {
  let asked: Promise<unknown> | undefined
  /** By which the function is told to stop. Of its own, since the connect may end in other ways than by its deadline. */
  let controller: AbortController | undefined
  const onEnd = () => controller?.abort(connectSignal.reason)
  return {
    exists: password !== null,
    given: password instanceof Secret ? password : null,
    whyNone,

    begin() {
      if (typeof password !== 'function' || asked !== undefined) return
      connectSignal.addEventListener('abort', onEnd)
      controller = new AbortController()
      const { signal } = controller
      // A function that throws at once fails like one that rejects.
      asked = (async () => password(signal))()
      asked.catch(() => {})
    },

    async fetch(signal) {
      if (password instanceof Secret) return password
      this.begin()
      const given = await until<unknown>(signal, (resolve, reject) => {
        asked?.then(resolve, (cause: unknown) => reject(unusable('the function that was given for it failed', cause)))
        return () => {}
      })
      if (typeof given !== 'string')
        throw unusable(`the function that was given for it gave ${typeof given}, not a string`)
      if (given === '') throw unusable('the function that was given for it gave an empty string, which is no password')
      if (given.includes('\0') || !given.isWellFormed()) {
        throw unusable('the function that was given for it gave a string with NUL or half of a surrogate pair')
      }
      return new Secret(given)
    },

    end() {
      // Nobody was asked: nobody has the signal.
      if (controller === undefined) return
      connectSignal.removeEventListener('abort', onEnd)
      controller.abort(new DOMException('the connect has settled', 'AbortError'))
    },
  }
}

/** Who misses a password is told why there is none, if it was looked for. */
export function withWhyNone(failure: Failure, { whyNone }: PasswordRequest): Failure {
  if (failure.kind !== 'config' || failure.parameter !== 'password' || whyNone === null) return failure
  return { ...failure, problem: `${failure.problem}; ${whyNone}` }
}

function unusable(problem: string, cause?: unknown): Fault {
  return new Fault({ kind: 'config', parameter: 'password', problem }, cause === undefined ? {} : { cause })
}

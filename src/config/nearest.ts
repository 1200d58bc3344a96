/**
 * Which known name was probably meant by an unknown one. Spelling conventions do not count ('connect_timeout'
 * is 'connectTimeout'), then what other clients call the same thing, then the fewest letters to change.
 */

/** Names of other clients (node-postgres, postgres.js, JDBC), bare, and libpq's for the same thing, bare. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['database', 'dbname'],
  ['db', 'dbname'],
  ['username', 'user'],
  ['hostname', 'host'],
  ['ssl', 'sslmode'],
  ['connectiontimeoutmillis', 'connecttimeout'],
])

/** Longer names resemble nothing, and are not worth the time it takes to find that out. */
const LENGTH_MAX = 64

/** The one of `known` that is nearest to `unknown`, or undefined if none is near. */
export function nearest(unknown: string, known: readonly string[]): string | undefined {
  if (unknown.length > LENGTH_MAX) return undefined
  const wanted = ELSEWHERE.get(bare(unknown)) ?? bare(unknown)
  // Two slips are forgiven, and in long names a third of the letters.
  let distance = Math.max(2, Math.floor(wanted.length / 3)) + 1
  let found: string | undefined
  for (const name of known) {
    const changes = editDistance(wanted, bare(name))
    if (changes < distance) {
      distance = changes
      found = name
    }
  }
  return found
}

function bare(name: string): string {
  return name.replace(/[_-]/g, '').toLowerCase()
}

/** Levenshtein's distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...to].entries()) {
      const [diagonal, above, left] = [previous[column], previous[column + 1], current[column]] as [
        number,
        number,
        number,
      ]
      current.push(Math.min(diagonal + (letter === other ? 0 : 1), above + 1, left + 1))
    }
    previous = current
  }
  return previous[to.length] as number
}

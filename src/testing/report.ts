/** What an examination has found, as data; and as text for people. Knows nothing of clients or servers. */

export interface Report {
  /** Who was examined. */
  readonly subject: string
  /** What it was examined against. */
  readonly against: string
  /** With this seed and so many runs the same cases are generated again. */
  readonly seed: number
  readonly runs: number
  readonly properties: readonly PropertyReport[]
}

export interface PropertyReport {
  readonly id: string
  readonly statement: string
  /** Why it is demanded: an anchor of PostgreSQL's manual, an RFC, a bound of libpq. */
  readonly source: string
  /** 'untried': it does not apply to this subject. */
  readonly verdict: 'holds' | 'broken' | 'untried'
  readonly trials: number
  /** How often each ending came. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly violations: readonly Violation[]
}

/** One trial in which a property did not hold. */
export interface Violation {
  /** What was tried, so that it can be tried again by hand: a plan for a FaultProxy, bytes in hexadecimal. */
  readonly trial: string
  /** What was seen. */
  readonly seen: string
}

/** Of a property that is broken at every byte, the first few say it. */
const SHOWN_VIOLATIONS = 3

/**
 * A report, readable.
 *
 * @example
 * console.log(describeReport(await examineClient(client, server)))
 */
export function describeReport({ subject, against, seed, runs, properties }: Report): string {
  const lines = [`${subject}, against ${against}`, '']
  for (const property of properties) {
    const { verdict, id, statement, source, trials, violations } = property
    lines.push(`${{ holds: '✓', broken: '✗', untried: '·' }[verdict]} ${id}: ${statement}`)
    lines.push(`    why: ${source}`)
    if (verdict === 'untried') lines.push('    untried: it does not apply')
    else lines.push(`    ${trials} trials: ${describeOutcomes(property)}`)
    for (const { trial, seen } of violations.slice(0, SHOWN_VIOLATIONS)) lines.push(`    ${seen}`, `      by ${trial}`)
    if (violations.length > SHOWN_VIOLATIONS) {
      lines.push(`    and ${violations.length - SHOWN_VIOLATIONS} more like these`)
    }
  }
  const count = (verdict: PropertyReport['verdict']) => properties.filter((one) => one.verdict === verdict).length
  lines.push('', `${count('holds')} hold, ${count('broken')} are broken, ${count('untried')} do not apply`)
  lines.push(`to see the same again: { seed: ${seed}, runs: ${runs} }`)
  return lines.join('\n')
}

function describeOutcomes({ outcomes }: PropertyReport): string {
  const sorted = Object.entries(outcomes).sort(([, a], [, b]) => b - a)
  return sorted.map(([outcome, count]) => `${count} ${outcome}`).join(', ')
}

/** A table of transitions as a Mermaid state diagram. Made from the table, so it cannot say anything else. */
import type { Table } from './machine.ts'

/** Mermaid source: https://mermaid.js.org/syntax/stateDiagram.html. `first` is where everything begins. */
export function drawTable(table: Table, first: string): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${first}`]
  for (const [state, row] of Object.entries(table)) {
    // One arrow per pair of states: several events between the same two share it.
    const targets = new Set(Object.values(row))
    for (const target of targets) {
      const events = Object.keys(row).filter((event) => row[event] === target)
      lines.push(`  ${state} --> ${target}: ${events.join('<br>')}`)
    }
    if (targets.size === 0) lines.push(`  ${state} --> [*]`)
  }
  return `${lines.join('\n')}\n`
}

/** A part of the page, and what several parts draw alike. */
import type { ClientId } from '../clients/target.ts'
import type { Summary } from '../statistics.ts'
import { seriesOf, titleOf } from './table.ts'

/** The text, and the plots that it shows by file name. */
export interface Section {
  readonly text: string
  readonly plots: Readonly<Record<string, string>>
}

/** For drawBars: the medians of all clients without TLS, and with it. */
export function groupsOf(
  medians: readonly (Summary & { readonly client: ClientId | 'libpq'; readonly tls: boolean })[],
) {
  return [false, true].map((tls) => ({
    name: tls ? 'TLS (verify-full)' : 'plain',
    bars: medians
      .filter((row) => row.tls === tls)
      .map(({ client, p50, p25, p75 }) => ({
        name: titleOf(client),
        series: seriesOf(client),
        value: p50,
        low: p25,
        high: p75,
      })),
  }))
}

/**
 * Round trips: how often somebody had to wait for the other side, with what for. Counted from what was said, not timed: messages
 * that leave together are one trip. What TCP and TLS need is known beforehand.
 */
import type { CaptureEntry } from './capture.ts'

export interface RoundTrip {
  /** What was waited for: 'TCP', 'TLS 1.3', or the first message that came. */
  readonly awaited: string
}

/** Counts while things happen. */
export class RoundTrips {
  #isTcp = true
  readonly #trips: RoundTrip[] = []
  #isDialing = false
  #hasSpoken = false

  /** `name` is the message's, if it is one. */
  count(entry: CaptureEntry, name: string | null): void {
    switch (entry.kind) {
      case 'attempt':
        // The path of a Unix-domain socket: to open it costs no trip.
        this.#isTcp = !entry.endpoint.startsWith('/')
        this.#hasSpoken = false
        return
      case 'state':
        if (this.#isDialing && this.#isTcp && entry.state === 'Connected') this.#trips.push({ awaited: 'TCP' })
        this.#isDialing = entry.state === 'Dialing'
        return
      case 'tls':
        // RFC 8446 section 2: one round trip; RFC 5246 section 7.3: two.
        for (const trip of entry.version === 'TLSv1.3' ? ['TLS 1.3'] : ['TLS', 'TLS'])
          this.#trips.push({ awaited: trip })
        return
      case 'message':
        if (entry.direction === 'sent') this.#hasSpoken = true
        else if (this.#hasSpoken) {
          this.#trips.push({ awaited: name ?? 'an answer' })
          this.#hasSpoken = false
        }
        return
      case 'failed':
      case 'end':
        return
    }
  }

  get all(): readonly RoundTrip[] {
    return this.#trips
  }
}

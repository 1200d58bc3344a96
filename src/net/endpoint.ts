/** Where a server listens. The configuration says it, and dial.ts goes there. */
import { isIP } from 'node:net'

export type Endpoint =
  | {
      readonly transport: 'tcp'
      /** The name of the server, for TLS too. */
      readonly host: string
      /** hostaddr: dialed instead of looking `host` up; null: look it up. */
      readonly address: string | null
      readonly port: number
    }
  | { readonly transport: 'unix'; readonly path: string }

/** Whether this is an IP address as Node dials it: no name, no brackets; IPv6 may have a zone behind '%'. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0
}

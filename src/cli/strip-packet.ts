/**
 * What a dump of tcpdump has before the bytes that somebody said: the headers of IP and TCP. Recognized only where everything
 * fits, since bytes of PostgreSQL may look like the beginning of one.
 */
import type { Direction } from './dissect.ts'

export interface Packet {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly payload: Buffer
}

/** RFC 791, RFC 8200, RFC 9293. null: this is no packet of TCP. */
export function readPacket(bytes: Buffer): Packet | null {
  const segment = readIpv4(bytes) ?? readIpv6(bytes)
  if (segment === null || segment.length < 20) return null
  const headerBytes = 4 * ((segment[12] as number) >> 4)
  if (headerBytes < 20 || headerBytes > segment.length) return null
  return {
    sourcePort: segment.readUInt16BE(0),
    destinationPort: segment.readUInt16BE(2),
    payload: segment.subarray(headerBytes),
  }
}

/** Which side spoke: the server is where the well-known port is. null: neither is, or both are. */
export function directionOf({ sourcePort, destinationPort }: Packet): Direction | null {
  const [fromServer, toServer] = [SERVER_PORTS.has(sourcePort), SERVER_PORTS.has(destinationPort)]
  if (fromServer === toServer) return null
  return toServer ? 'sent' : 'received'
}

/** PostgreSQL, and PgBouncer. */
const SERVER_PORTS: ReadonlySet<number> = new Set([5432, 6432])

const TCP = 6

function readIpv4(bytes: Buffer): Buffer | null {
  if (bytes.length < 20 || (bytes[0] as number) >> 4 !== 4) return null
  const headerBytes = 4 * ((bytes[0] as number) & 0x0f)
  const isWhole = bytes.readUInt16BE(2) === bytes.length
  return isWhole && bytes[9] === TCP && headerBytes >= 20 ? bytes.subarray(headerBytes) : null
}

function readIpv6(bytes: Buffer): Buffer | null {
  if (bytes.length < 40 || (bytes[0] as number) >> 4 !== 6) return null
  const isWhole = bytes.readUInt16BE(4) === bytes.length - 40
  return isWhole && bytes[6] === TCP ? bytes.subarray(40) : null
}

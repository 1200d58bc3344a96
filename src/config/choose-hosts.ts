/**
 * Where to connect: the lists of names, addresses and ports become endpoints, in the order given. How many of one
 * there may be for so many of another is libpq's rule (fe-connect.c, pqConnectOptions2).
 *
 * Manual: #LIBPQ-MULTIPLE-HOSTS.
 */
import type { Endpoint } from '../net/endpoint.ts'
import type { Given } from './parameters.ts'
import type { Surroundings } from './surroundings.ts'
import { unusable } from './unusable.ts'

/** What is between two commas, or null if nothing is. */
type List<Value> = readonly (Value | null)[]

/** One endpoint for every host, so at least one. Throws Fault of kind 'config'. */
export function chooseHosts(given: Given, surroundings: Surroundings): readonly Endpoint[] {
  const { host: names, hostaddr: addresses } = given
  const counted: List<string> = addresses ?? names ?? [null]
  if (names !== undefined && names.length !== counted.length) {
    throw unusable(
      'hostaddr',
      `has ${counted.length} entries, and host has ${names.length}; give as many of one as of the other`,
    )
  }
  const ports = choosePorts(given.port ?? [null], counted.length)
  return ports.map((port, index) =>
    chooseEndpoint(names?.[index] ?? null, addresses?.[index] ?? null, port ?? 5432, surroundings),
  )
}

/** One port is that of every host. An empty one among several is the default, and not that of its neighbour. */
function choosePorts(ports: List<number>, hosts: number): List<number> {
  if (ports.length === hosts) return ports
  const [only = null, ...more] = ports
  if (more.length === 0) return Array.from({ length: hosts }, () => only)
  throw unusable('port', `has ${ports.length} entries for ${hosts} hosts; give one for each, or one for all`)
}

function chooseEndpoint(
  name: string | null,
  address: string | null,
  port: number,
  surroundings: Surroundings,
): Endpoint {
  // As in libpq, an address counts more than what the name looks like.
  if (address !== null) return { transport: 'tcp', host: name ?? address, address, port }
  const host = name ?? findSocketDirectory(surroundings) ?? 'localhost'
  if (!host.startsWith('/')) return { transport: 'tcp', host, address: null, port }
  if (surroundings.platform === 'win32') {
    throw unusable('host', "begins with '/', but Node has no Unix-domain sockets on Windows; give a host name")
  }
  // The name that the server gives its socket: #GUC-UNIX-SOCKET-DIRECTORIES.
  const path = `${host}/.s.PGSQL.${port}`
  // sockaddr_un holds so much and a NUL. Node 20 cuts a longer path off without a word, and dials what is left.
  const pathBytesMax = surroundings.platform === 'darwin' ? 103 : 107
  const pathBytes = Buffer.byteLength(path)
  if (pathBytes > pathBytesMax) {
    throw unusable('host', `makes a socket path of ${pathBytes} bytes; the operating system takes ${pathBytesMax}`)
  }
  return { transport: 'unix', path }
}

/** libpq's is fixed when it is compiled. We look where the usual builds put it, as pgx does. */
export function findSocketDirectory(surroundings: Surroundings): string | undefined {
  if (surroundings.platform === 'win32') return undefined
  const macOnly = surroundings.platform === 'darwin' ? ['/private/tmp'] : []
  return ['/var/run/postgresql', ...macOnly, '/tmp'].find((path) => surroundings.isDirectory(path))
}

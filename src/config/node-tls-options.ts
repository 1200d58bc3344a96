/**
 * The escape hatch: options for node:tls that libpq has no parameter for, such as certificates that are in no file.
 * They are merged over everything else, so the few that would take the deadline, the socket or the decision about
 * the server out of our hands are refused. Knows nothing of what the others do; Node checks those.
 */
import { readProperties } from './own-properties.ts'
import type { NodeTlsOptions } from './settings.ts'
import { unusable } from './unusable.ts'

/** What may not stand among Node's options, and what to do instead. */
const REFUSED_NODE_OPTIONS: Readonly<Record<string, string>> = {
  socket: 'TLS runs over the connection that is opened here; say where to with host and port',
  host: 'say where to connect with the parameter host',
  port: 'say where to connect with the parameter port',
  path: 'say where to connect with the parameter host',
  lookup: 'names are looked up under the deadline; say where to connect with the parameter host',
  timeout: 'it would be a second clock; use connect_timeout, or the deadline',
  signal: 'it would end the connection behind our back; pass the signal to connect',
  onread: 'it would take the bytes away from us',
  ALPNProtocols: "it is always 'postgresql'",
  rejectUnauthorized: 'how the server is verified says sslmode',
  checkServerIdentity: 'how the server is verified says sslmode',
  secureContext: 'it would take the place of sslrootcert, sslcrl and the versions; give ca, cert, key and crl',
  // Node does not check the server's name if the server resumes a session.
  session: 'a resumed session is not verified anew',
}

const MATERIAL: readonly string[] = ['ca', 'crl', 'cert', 'key', 'pfx']

function isEmpty(value: unknown): boolean {
  if (!value) return true
  if (Array.isArray(value)) return value.length === 0 || value.some(isEmpty)
  return ArrayBuffer.isView(value) && value.byteLength === 0
}

/** A copy of the options, without those that are undefined. Throws Fault, which names the parameter `name`. */
export function readOptions(name: string, options: object): NodeTlsOptions {
  const given = readProperties(name, options).filter(([, value]) => value !== undefined)
  for (const [option, value] of given) {
    const advice = Object.hasOwn(REFUSED_NODE_OPTIONS, option) ? REFUSED_NODE_OPTIONS[option] : undefined
    if (advice !== undefined) throw unusable(name, `may not hold '${option}': ${advice}`)
    // Of nothing Node makes its own public roots, or no certificate at all.
    if (MATERIAL.includes(option) && isEmpty(value)) throw unusable(name, `holds an empty '${option}'; leave it out`)
  }
  return Object.fromEntries(given)
}

/** The same object, of which `inspect` and JSON show the names only: there are keys and passphrases among them. */
export function hideOptions(options: NodeTlsOptions): NodeTlsOptions {
  const names = Object.keys(options)
  // Not enumerable, so that nothing of this reaches Node when the options are merged.
  Object.defineProperty(options, 'toJSON', { value: () => names })
  Object.defineProperty(options, Symbol.for('nodejs.util.inspect.custom'), {
    value: () => `[node:tls options: ${names.join(', ')}]`,
  })
  return options
}

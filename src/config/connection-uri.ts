/**
 * Connection URIs: postgresql://[user[:password]@][host][:port][,...][/dbname][?name=value[&...]]
 *
 * Read as libpq reads them (fe-connect.c, conninfo_uri_parse_options), and not with WHATWG's URL, which
 * normalises and disagrees with libpq about where a part ends. Where a URI would be understood in one way
 * by libpq and in another by the parsers that people check URIs with, it is refused: a gate that looks
 * at the host must not approve of another one than is dialled. What every form of text
 * shares stands in texts.ts.
 *
 * Manual: #LIBPQ-CONNSTRING-URIS.
 */
import type { Given } from './parameters.ts'
import { adviseOn, isKnown, readText } from './texts.ts'
import { unusable, WHOLE } from './unusable.ts'

const SCHEME = /^postgres(?:ql)?:\/\//

/** Whether this string is a connection URI at all. As in libpq, the scheme is in lower case. */
export function isConnectionUri(conninfo: string): boolean {
  return SCHEME.test(conninfo)
}

/**
 * Read a connection URI. Positions in failures count characters from 1, as libpq's do.
 *
 * Throws Fault of kind 'config'. It never quotes the URI.
 */
export function readConnectionUri(uri: string): Given {
  checkCharacters(uri)
  return new UriReader(uri).read()
}

/** One part of the URI that is still percent-encoded, and the index at which it begins. */
interface Part {
  readonly encoded: string
  readonly index: number
}

/** Characters that have no business in a URI, and those that parsers disagree about. */
function checkCharacters(uri: string): void {
  // libpq 18 drops spaces around a part, older ones kept them. Without this a pasted line break ends up in a name.
  const blank = uri.search(/[\s\p{Cc}]/u)
  if (blank >= 0) throw unusable(WHOLE, `holds white space or a control character${at(blank)}; percent-encode it`)
  // For libpq a letter like any other; for everybody else the end of the URI's meaning.
  const fragment = uri.indexOf('#')
  if (fragment >= 0) throw unusable(WHOLE, `holds a '#'${at(fragment)}; percent-encode it as %23`)
  if (!uri.isWellFormed()) throw unusable(WHOLE, 'holds a lone surrogate, which cannot be sent as UTF-8')
}

/** A cursor over one URI. Each method reads one part of the grammar and leaves the cursor behind it. */
class UriReader {
  readonly #uri: string
  readonly #texts = new Map<string, string>()
  #index: number

  constructor(uri: string) {
    this.#uri = uri
    this.#index = uri.indexOf('://') + 3
  }

  read(): Given {
    this.#readUserInfo()
    this.#readHosts()
    this.#readDatabase()
    this.#readQuery()
    return Object.assign({}, ...[...this.#texts].map(([name, text]) => readText(name, text)))
  }

  #readUserInfo(): void {
    const rest = this.#uri.slice(this.#index)
    const end = rest.search(/[@/]/)
    if (rest[end] !== '@') return
    const { encoded, index } = this.#take(/@/)
    // libpq looks for '@' before it looks for '?', other parsers the other way round: for them the host of
    // postgres://one?user=a@two is 'one', for libpq it is 'two'.
    const query = encoded.indexOf('?')
    if (query >= 0) {
      throw unusable(WHOLE, `has a '?'${at(index + query)} before an '@'; percent-encode one of them (%3F, %40)`)
    }
    const colon = encoded.indexOf(':')
    this.#storePart('user', { encoded: colon < 0 ? encoded : encoded.slice(0, colon), index })
    if (colon >= 0) this.#storePart('password', { encoded: encoded.slice(colon + 1), index: index + colon + 1 })
    this.#index += 1
  }

  /** As in libpq, what stands between the commas makes one list of hosts and one of ports, each as long. */
  #readHosts(): void {
    const index = this.#index
    const hosts: string[] = []
    const ports: string[] = []
    do {
      if (hosts.length > 0) this.#index += 1
      hosts.push(
        this.#decodeEntry('host', this.#uri[this.#index] === '[' ? this.#takeBracketed() : this.#take(/[:/?,]/)),
      )
      ports.push(this.#uri[this.#index] === ':' ? this.#decodeEntry('port', this.#takePort()) : '')
    } while (this.#uri[this.#index] === ',')
    // Several empty hosts are as many times the default one; several empty ports say nothing.
    if (hosts.join(',') !== '') this.#store('host', hosts.join(','), at(index))
    if (ports.some((port) => port !== '')) this.#store('port', ports.join(','), at(index))
  }

  #takeBracketed(): Part {
    this.#index += 1
    const part = this.#take(/\]/)
    if (this.#index === this.#uri.length) {
      throw unusable('host', `has a '['${at(part.index - 1)} without its ']'`)
    }
    if (part.encoded === '') throw unusable('host', `is an empty IPv6 address${at(part.index)}`)
    this.#index += 1
    const next = this.#uri[this.#index]
    if (next !== undefined && !':/?,'.includes(next)) {
      throw unusable(
        'host',
        `goes on${at(this.#index)} behind the ']', where ':', ',', '/', '?' or the end is expected`,
      )
    }
    return part
  }

  #takePort(): Part {
    this.#index += 1
    return this.#take(/[/?,]/)
  }

  /** One host or port. libpq splits at a percent-encoded comma too; whoever else reads this sees one host there. */
  #decodeEntry(parameter: string, part: Part): string {
    const text = decode(parameter, this.#refuseAt(parameter, part))
    if (text.includes(',')) {
      throw unusable(parameter, `holds a percent-encoded comma${at(part.index)}; to separate hosts write it as it is`)
    }
    return text
  }

  #readDatabase(): void {
    if (this.#uri[this.#index] !== '/') return
    this.#index += 1
    this.#storePart('dbname', this.#refuseAt('dbname', this.#take(/\?/)))
  }

  #readQuery(): void {
    let index = this.#index + 1
    const pairs = this.#uri.slice(index).split('&')
    // As in libpq, nothing may follow '?' or the last '&'.
    if (pairs.at(-1) === '') pairs.pop()
    for (const encoded of pairs) {
      this.#readPair({ encoded, index })
      index += encoded.length + 1
    }
  }

  #readPair({ encoded, index }: Part): void {
    const [name, value, more] = encoded.split('=')
    if (value === undefined) throw unusable(WHOLE, `has a query parameter without '='${at(index)}`)
    if (more !== undefined) {
      throw unusable(WHOLE, `has a query parameter with a second '='${at(index)}; percent-encode it as %3D`)
    }
    const place = at(index)
    const decodedName = decode(WHOLE, { encoded: name as string, index })
    const known = isKnown(decodedName)
    const text = decode(known ? decodedName : WHOLE, { encoded: value, index: index + (name as string).length + 1 })
    // JDBC's way to ask for TLS, which libpq understands in this one spelling.
    if (decodedName === 'ssl' && text === 'true') {
      this.#store('sslmode', 'require', place)
      return
    }
    // Not even the name is quoted: behind an unencoded '?' it may be a piece of a password.
    if (!known) throw unusable(WHOLE, `has an unknown query parameter${place}${adviseOn(decodedName)}`)
    this.#store(decodedName, text, place)
  }

  /** An absent part is not a value, so `?user=` may supply what the authority left empty. */
  #storePart(name: string, part: Part): void {
    if (part.encoded !== '') this.#store(name, decode(name, part), at(part.index))
  }

  /**
   * libpq lets the last one win, others the first, or the one in the query, or make a list of them. So a
   * parameter that is given twice is refused, in the authority and the query too, and whatever the values.
   */
  #store(name: string, text: string, place: string): void {
    if (this.#texts.has(name)) throw unusable(name, `is given a second time${place}; give it once`)
    this.#texts.set(name, text)
  }

  /** Everything up to the first of these characters, or to the end. The cursor is left on it. */
  #take(end: RegExp): Part {
    const index = this.#index
    const length = this.#uri.slice(index).search(end)
    this.#index = length < 0 ? this.#uri.length : index + length
    return { encoded: this.#uri.slice(index, this.#index), index }
  }

  /**
   * libpq ends the password at the first '@', others at the last, and both end the authority at the first
   * '/'. An '@' behind that is, nine times in ten, the one that should have ended the password; going on would
   * hand a piece of it to the name server, or to the wrong server as a database's name.
   */
  #refuseAt(parameter: string, part: Part): Part {
    const found = part.encoded.indexOf('@')
    if (found < 0) return part
    throw unusable(
      parameter,
      `holds an '@'${at(part.index + found)}; percent-encode it as %40, and in a password '@', '/', ':', '?' too`,
    )
  }
}

/** Percent-decoding as libpq does it, except that what comes out must be UTF-8: it is about to be sent as that. */
function decode(parameter: string, { encoded, index }: Part): string {
  const broken = encoded.search(/%(?![0-9a-f]{2})/i)
  if (broken >= 0) {
    throw unusable(parameter, `has a '%'${at(index + broken)} without two hexadecimal digits; write '%' as %25`)
  }
  const nul = encoded.indexOf('%00')
  if (nul >= 0) throw unusable(parameter, `holds %00${at(index + nul)}, which ends a string in the protocol`)
  try {
    return decodeURIComponent(encoded)
  } catch {
    // The cause is not kept: it says no more than this, and a later engine might quote the text in it.
    throw unusable(parameter, `is percent-encoded${at(index)} in something else than UTF-8`)
  }
}

function at(index: number): string {
  return ` at position ${index + 1}`
}

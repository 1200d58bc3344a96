/**
 * The names of a client's messages, from its bytes alone and after the event: for a report of what it sent. Bytes that
 * are no message are named so, and TLS is not looked into.
 */

const REQUESTS: ReadonlyMap<number, string> = new Map([
  [80_877_103, 'SSLRequest'],
  [80_877_104, 'GSSENCRequest'],
  [80_877_102, 'CancelRequest'],
])

const TAGGED: ReadonlyMap<string, string> = new Map([
  ['Q', 'Query'],
  ['X', 'Terminate'],
  ['d', 'CopyData'],
  ['c', 'CopyDone'],
  ['f', 'CopyFail'],
])

const TLS_HANDSHAKE = 0x16

export function nameMessages(bytes: Buffer): string[] {
  const names: string[] = []
  let started = false
  for (let offset = 0; offset < bytes.length; ) {
    if (!started && bytes[offset] === TLS_HANDSHAKE) return [...names, 'ClientHello']
    const headerBytes = started ? 5 : 4
    const end =
      offset + headerBytes <= bytes.length ? offset + headerBytes - 4 + bytes.readInt32BE(offset + headerBytes - 4) : -1
    if (end < offset + headerBytes || end > bytes.length) return [...names, 'bytes that are no message']
    const body = bytes.subarray(offset + headerBytes, end)
    const name: string = started ? nameTagged(bytes.toString('latin1', offset, offset + 1), body) : nameStarting(body)
    names.push(name)
    started ||= name === 'StartupMessage'
    offset = end
  }
  return names
}

function nameStarting(body: Buffer): string {
  return (body.length >= 4 && REQUESTS.get(body.readInt32BE(0))) || 'StartupMessage'
}

/** Three messages share the tag 'p'. What SCRAM puts into two of them cannot be mistaken. */
function nameTagged(tag: string, body: Buffer): string {
  if (tag !== 'p') return TAGGED.get(tag) ?? `a message '${tag}'`
  const text = body.toString('latin1')
  if (/^SCRAM-[A-Z0-9-]+\0/.test(text)) return 'SASLInitialResponse'
  return text.startsWith('c=') ? 'SASLResponse' : 'PasswordMessage'
}

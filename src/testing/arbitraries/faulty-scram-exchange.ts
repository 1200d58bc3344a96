/**
 * A SCRAM exchange in which one message is not what it should be. Each fault says who commits it and what the other side must
 * make of it, so that clients and servers can be tested with the same list.
 *
 * RFC 5802 sections 5 and 7; the bound of the iterations is CVE-2026-42198.
 */
import fc from 'fast-check'
import type { FailureKind } from '../../protocol/failure.ts'
import { arbitraryScramExchange, completeScram, type ScramExchange } from './scram-exchange.ts'

export interface ScramFault {
  /** What is wrong, in words. */
  readonly title: string
  /** The message that is wrong; the others are those of the honest exchange. */
  readonly message: 'serverFirst' | 'serverFinal' | 'clientFinal'
  readonly bytes: Buffer
  /** How a client ends that meets a fault of the server. Empty for a client's fault, which a server simply refuses. */
  readonly verdicts: readonly FailureKind[]
}

export interface FaultyScramExchange {
  readonly honest: ScramExchange
  readonly fault: ScramFault
}

/**
 * An exchange with one fault. With `by`, of one side alone. A client that takes 100,000 iterations at most is told of more than
 * that, but never of so many that it would matter if it did compute them.
 *
 * @example
 * fc.assert(fc.property(arbitraryFaultyScramExchange('server'), ({ honest, fault }) => ends(client, honest, fault)))
 */
export function arbitraryFaultyScramExchange(by?: 'client' | 'server'): fc.Arbitrary<FaultyScramExchange> {
  return arbitraryScramExchange().chain((honest) =>
    fc.constantFrom(...faultsOf(honest, by)).map((fault) => ({ honest, fault })),
  )
}

/** Every fault that can be put into this exchange. */
export function faultsOf(honest: ScramExchange, by?: 'client' | 'server'): readonly ScramFault[] {
  const faults = [...firstFaults(honest), ...finalFaults(honest), ...clientFaults(honest)]
  if (by === undefined) return faults
  return faults.filter(({ message }) => (message === 'clientFinal') === (by === 'client'))
}

function firstFaults({ clientNonce, serverNonce, salt, iterations, firstExtension }: ScramExchange): ScramFault[] {
  const fault = (title: string, verdict: FailureKind, text: string): ScramFault => ({
    title,
    message: 'serverFirst',
    bytes: Buffer.from(text, 'latin1'),
    verdicts: [verdict],
  })
  const nonce = clientNonce + serverNonce
  const s = `s=${salt.toString('base64')}`
  const i = `i=${iterations}`
  return [
    fault("a nonce that is not the client's", 'unproven', `r=${swapped(clientNonce)}${serverNonce},${s},${i}`),
    fault("a nonce that lacks the end of the client's", 'unproven', `r=${clientNonce.slice(0, -1)},${s},${i}`),
    fault('a nonce to which nothing was added', 'unproven', `r=${clientNonce},${s},${i}`),
    fault('an empty nonce', 'malformed', `r=,${s},${i}`),
    fault('no nonce', 'malformed', `${s},${i}`),
    fault('a space in the nonce', 'malformed', `r=${nonce} x,${s},${i}`),
    fault('a control character in the nonce', 'malformed', `r=${nonce}\x1b,${s},${i}`),
    fault('a NUL at the end', 'malformed', `r=${nonce},${s},${i}\0`),
    fault('no salt', 'malformed', `r=${nonce},${i}`),
    fault('a salt that is not base64', 'malformed', `r=${nonce},s=!!!!,${i}`),
    fault('a salt without its padding', 'malformed', `r=${nonce},s=QQ,${i}`),
    fault('salt and iterations in the wrong order', 'malformed', `r=${nonce},${i},${s}`),
    fault('no iterations', 'malformed', `r=${nonce},${s}`),
    fault('zero iterations', 'malformed', `r=${nonce},${s},i=0`),
    fault('iterations below zero', 'malformed', `r=${nonce},${s},i=-${iterations}`),
    fault('iterations with a zero before them', 'malformed', `r=${nonce},${s},i=0${iterations}`),
    fault('iterations with a fraction', 'malformed', `r=${nonce},${s},i=${iterations}.5`),
    fault('iterations with an exponent', 'malformed', `r=${nonce},${s},i=1e1`),
    fault('more iterations than are bearable', 'limit', `r=${nonce},${s},i=100001`),
    fault('more iterations than an Int32 holds', 'limit', `r=${nonce},${s},i=4294967297`),
    fault('more iterations than a number holds', 'limit', `r=${nonce},${s},i=${'9'.repeat(400)}`),
    fault('a mandatory extension before the nonce', 'incompatible', `m=x,r=${nonce},${s},${i}`),
    fault('a mandatory extension at the end', 'incompatible', `r=${nonce},${s},${i},m=x`),
    fault('an attribute twice', 'malformed', `r=${nonce},${s},${i},${i}`),
    fault('an extension without a letter', 'malformed', `r=${nonce},${s},${i},=x`),
    fault('a comma behind the last attribute', 'malformed', `r=${nonce},${s},${i}${firstExtension},`),
    fault('bytes that are not UTF-8', 'malformed', `r=${nonce},${s},${i},x=\xff`),
    fault('nothing at all', 'malformed', ''),
  ]
}

function finalFaults(honest: ScramExchange): ScramFault[] {
  const { serverFinal, password, keys } = honest
  const fault = (title: string, verdict: FailureKind, text: string): ScramFault => ({
    title,
    message: 'serverFinal',
    bytes: Buffer.from(text, 'latin1'),
    verdicts: [verdict],
  })
  const text = serverFinal.toString('latin1')
  const signature = Buffer.from(text.slice(2, 46), 'base64')
  const other = completeScram({ ...honest, password: { ...password, normalized: `${password.normalized}x` } })
  const v = (bytes: Buffer) => `v=${bytes.toString('base64')}`
  return [
    fault('the signature of one who knows another password', 'unproven', other.serverFinal.toString('latin1')),
    fault('a signature one byte too short', 'unproven', v(signature.subarray(1))),
    fault('a signature one byte too long', 'unproven', v(Buffer.concat([signature, Buffer.from([0])]))),
    fault('an empty signature', 'unproven', 'v='),
    fault('a signature of zeros', 'unproven', v(Buffer.alloc(32))),
    fault("the client's own proof as the signature", 'unproven', proofAsSignature(honest)),
    fault('the key in place of the signature', 'unproven', v(keys.storedKey)),
    fault('a signature that is not canonical base64', 'malformed', text.slice(0, 45)),
    fault('an error in place of the signature', 'unproven', 'e=other-error'),
    fault('an empty error', 'malformed', 'e='),
    fault('an error behind the signature', 'malformed', `${text.slice(0, 46)},e=other-error`),
    fault('a mandatory extension', 'incompatible', `${text},m=x`),
    fault('another attribute first', 'malformed', `x=1,${text}`),
    fault('a NUL at the end', 'malformed', `${text}\0`),
    fault('nothing at all', 'malformed', ''),
  ]
}

function clientFaults({ clientFinal, clientNonce, serverNonce }: ScramExchange): ScramFault[] {
  const fault = (title: string, text: string): ScramFault => ({
    title,
    message: 'clientFinal',
    bytes: Buffer.from(text, 'latin1'),
    verdicts: [],
  })
  const text = clientFinal.toString('latin1')
  const cut = text.lastIndexOf(',p=') + 3
  const proof = Buffer.from(text.slice(cut), 'base64')
  const flipped = Buffer.from(proof.map((byte, index) => (index === 0 ? byte ^ 1 : byte)))
  const nonce = clientNonce + serverNonce
  return [
    fault('a proof with one bit flipped', text.slice(0, cut) + flipped.toString('base64')),
    fault('a proof of zeros', text.slice(0, cut) + Buffer.alloc(32).toString('base64')),
    fault('a proof one byte too short', text.slice(0, cut) + proof.subarray(1).toString('base64')),
    fault('no proof', text.slice(0, cut - 3)),
    fault('another nonce', text.replace(nonce, `${swapped(clientNonce)}${serverNonce}`)),
    fault('another channel binding', text.replace(/^c=[^,]*/, 'c=eD0s')),
    fault('a further attribute that the proof does not cover', text.replace(',p=', ',x=1,p=')),
  ]
}

function proofAsSignature({ clientFinal }: ScramExchange): string {
  const text = clientFinal.toString('latin1')
  return `v=${text.slice(text.lastIndexOf(',p=') + 3)}`
}

/** The same length and the same letters allowed, and not one of them the same. */
function swapped(nonce: string): string {
  return Array.from(nonce, (character) => (character === 'A' ? 'B' : 'A')).join('')
}

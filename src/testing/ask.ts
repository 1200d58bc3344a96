/**
 * A client that sends what it is told to and reads what comes back, with our decoder and nothing else of ours: it has no state
 * machine that could object.
 */
import { connect } from 'node:net'
import { type BackendMessage, decodeBackend } from '../protocol/backend.ts'
import { Fault } from '../protocol/failure.ts'
import { FrameReader } from '../protocol/frame.ts'
import type { ServerAddress } from './adapter.ts'
import { within } from './examine.ts'

/** What came back. */
export interface Answer {
  readonly bytes: Buffer
  /** Those of the bytes that are whole messages. */
  readonly messages: readonly BackendMessage[]
  /** Why the rest is no message and will never be one; null if it may be the beginning of one. */
  readonly malformed: string | null
  readonly isClosed: boolean
}

export interface AskOptions {
  /** Close our side behind what was sent. */
  readonly fin?: boolean | undefined
  /** Enough has come. Default: not before the server closes. */
  readonly until?: ((answer: Answer) => boolean) | undefined
  readonly patienceMs: number
}

/** Sends these bytes and waits for an answer, for the server to close, or until patience ends; then it leaves. */
export async function ask(
  { host, port }: ServerAddress,
  bytes: Uint8Array,
  { fin = false, until = () => false, patienceMs }: AskOptions,
): Promise<Answer> {
  const chunks: Buffer[] = []
  let answer = read(chunks, false)
  const where = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
  const socket = connect({ ...where, allowHalfOpen: true })
  const answered = new Promise<true>((resolve) => {
    const look = (isClosed: boolean) => {
      answer = read(chunks, isClosed)
      if (isClosed || answer.malformed !== null || until(answer)) resolve(true)
    }
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      look(false)
    })
    socket.on('end', () => look(true))
    // A RST ends it as well, with what had come by then.
    socket.on('error', () => {})
    socket.on('close', () => look(true))
    socket.write(bytes)
    if (fin) socket.end()
  })
  await within(answered, patienceMs)
  socket.destroy()
  return answer
}

/** Sends these bytes and is gone: in order, or without a word. */
export async function vanish(
  { host, port }: ServerAddress,
  bytes: Uint8Array,
  how: 'FIN' | 'RST',
  patienceMs: number,
): Promise<void> {
  const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  socket.on('error', () => {})
  const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)))
  socket.once('connect', () => {
    if (how === 'FIN') socket.end(bytes, () => socket.destroy())
    else socket.write(bytes, () => socket.resetAndDestroy())
  })
  await within(closed, patienceMs)
  socket.destroy()
}

function read(chunks: readonly Buffer[], isClosed: boolean): Answer {
  const bytes = Buffer.concat(chunks)
  const messages: BackendMessage[] = []
  const reader = new FrameReader()
  reader.push(Buffer.from(bytes))
  try {
    for (let frame = reader.next(); frame !== null; frame = reader.next()) {
      messages.push(decodeBackend(frame.tag, frame.body))
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { bytes, messages, malformed: error.message, isClosed }
  }
  return { bytes, messages, malformed: null, isClosed }
}

/** In words, for a report. */
export function describeAnswer({ bytes, messages, malformed, isClosed }: Answer): string {
  const names = messages.map(({ type }) => type)
  const said = bytes.length === 0 ? 'nothing' : names.length === 0 ? `${bytes.length} bytes` : names.join(', ')
  return `${said}${malformed === null ? '' : `, and then ${malformed}`}${isClosed ? ', and closed' : ', and did not close'}`
}

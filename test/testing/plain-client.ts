/** A client of a few lines, for servers that ask for no password; and the ways to get its deadline wrong. */
import { connect } from 'node:net'
import type { ClientAdapter, ClientTarget } from '../../src/testing/index.ts'

export interface Faults {
  /** 'per read': every byte winds it up again. */
  readonly timer?: 'once' | 'per read' | 'none'
  readonly keepsSocket?: boolean
  readonly ignoresEnd?: boolean
  readonly believesFirstByte?: boolean
  /** Takes a chunk for a message. */
  readonly readsChunks?: boolean
  readonly throwsOnReset?: boolean
  readonly ignoresSignal?: boolean
  readonly throwsElsewhere?: boolean
}

/** ReadyForQuery, as the last six bytes of what a server says. */
const READY = Buffer.from('5a0000000549', 'hex')

export function plainClient(faults: Faults = {}): ClientAdapter {
  return {
    name: `a client ${Object.keys(faults).join(', ') || 'without faults'}`,
    takesSignal: true,
    connect: (target, options) => open(target, options, faults),
  }
}

function open(
  { host, port, user, database }: ClientTarget,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  faults: Faults,
): Promise<{ close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host)
    let received: Buffer = Buffer.alloc(0)
    const fail = (error: Error) => {
      clearTimeout(timer)
      if (faults.keepsSocket !== true) socket.destroy()
      if (faults.throwsElsewhere === true) {
        setImmediate(() => {
          throw new Error('where nobody looks')
        })
      }
      reject(error)
    }
    const wind = () =>
      faults.timer === 'none' ? undefined : setTimeout(() => fail(new Error('time is up')), timeoutMs)
    let timer = wind()
    if (faults.ignoresSignal !== true) signal.addEventListener('abort', () => fail(signal.reason), { once: true })
    socket.on('connect', () => socket.write(startup({ user, database })))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (faults.timer === 'per read') {
        clearTimeout(timer)
        timer = wind()
      }
      const seen = faults.readsChunks === true ? chunk : received
      const isReady = seen.length > READY.length && seen.subarray(-READY.length).equals(READY)
      if (!isReady && faults.believesFirstByte !== true) return
      clearTimeout(timer)
      resolve({
        close: async () => {
          socket.end()
        },
      })
    })
    socket.on('error', (error) => {
      if (faults.throwsOnReset === true) throw error
      if (faults.ignoresEnd !== true) fail(error)
    })
    socket.on('end', () => {
      if (faults.ignoresEnd !== true) fail(new Error('the server is gone'))
    })
  })
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.from(`${Object.entries(parameters).flat().join('\0')}\0\0`)
  const header = Buffer.alloc(8)
  header.writeInt32BE(8 + body.length)
  header.writeInt32BE(0x0003_0000, 4)
  return Buffer.concat([header, body])
}

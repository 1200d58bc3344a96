/**
 * The floor: a client that replays bytes that were made beforehand over a bare socket. It parses nothing that it does not need,
 * checks nothing, has no deadline, and takes the same nonce every time. What is left is what Node and OpenSSL cost.
 *
 * One thing a real server does not let anybody make beforehand: the proof, which is over the server's nonce. So two hashes are
 * computed (`prove`), and PBKDF2 too where it is `cold`. No client of anybody's should be like this.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, #SASL-SCRAM-SHA-256.
 */
import { createHash, createHmac, pbkdf2, pbkdf2Sync } from 'node:crypto'
import { connect as connectSocket, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext } from 'node:tls'
import type { Client, Close, Target } from './target.ts'

const NONCE = 'AAAAAAAAAAAAAAAAAAAAAAAA'
const CLIENT_FIRST_BARE = `n=,r=${NONCE}`
const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex')
const TERMINATE = Buffer.from('5800000004', 'hex')
const QUERY = message('Q', Buffer.from('select 1\0'))
const SASL_INITIAL_RESPONSE = message('p', saslInitialResponse())

/** A message from the server is recognized by where it begins in what has come, which is where the last one ended. */
const AUTHENTICATION = 0x52
const SASL_CONTINUE = 11
/** ReadyForQuery is the last of what it sends at once: 'Z', Int32 5, one byte. */
const READY_BYTES = 6

export function floorClient(target: Target, { cold }: { readonly cold: boolean }): Client {
  const { host, port, password, tls } = target
  const startup = startupMessage(target)
  const secureContext = tls === null ? null : createSecureContext({ ca: tls.ca })
  let warm: { readonly salt: string; readonly storedKey: Buffer; readonly clientKey: Buffer } | null = null

  function firstRow(): Promise<Close> {
    return new Promise((resolve, reject) => {
      const below = connectSocket({ host, port, noDelay: true })
      below.once('error', reject)
      if (secureContext === null) {
        below.once('connect', () => talk(below))
        return
      }
      below.once('connect', () => below.write(SSL_REQUEST))
      below.once('data', () => {
        const socket = connectTls({ socket: below, secureContext, host }, () => talk(socket))
        socket.once('error', reject)
      })

      function talk(socket: Socket): void {
        let isAsked = false
        socket.on('data', (received: Buffer) => {
          if (received[received.length - READY_BYTES] === 0x5a) {
            if (isAsked) resolve(() => closeSocket(socket))
            else socket.write(QUERY)
            isAsked = true
          } else if (received[0] === AUTHENTICATION) {
            if (received[8] === SASL_CONTINUE) answer(socket, received.toString('latin1', 9))
            else if (received[8] === 10) socket.write(SASL_INITIAL_RESPONSE)
          } else if (received[0] === 0x45) reject(new Error(received.toString('latin1')))
        })
        socket.write(startup)
      }
    })
  }

  function answer(socket: Socket, serverFirst: string): void {
    const [nonce = '', salt = '', iterations = ''] = serverFirst.split(',').map((field) => field.slice(2))
    if (cold) {
      pbkdf2(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256', (_, salted) => {
        socket.write(prove(serverFirst, nonce, keysOf(salted)))
      })
      return
    }
    if (warm?.salt !== salt) {
      const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
      warm = { salt, ...keysOf(salted) }
    }
    socket.write(prove(serverFirst, nonce, warm))
  }

  return { connect: firstRow, firstRow }
}

function keysOf(saltedPassword: Buffer): { readonly clientKey: Buffer; readonly storedKey: Buffer } {
  const clientKey = createHmac('sha256', saltedPassword).update('Client Key').digest()
  return { clientKey, storedKey: createHash('sha256').update(clientKey).digest() }
}

/** SASLResponse: the one message that depends on what the server said. Exported to be timed alone. */
export function prove(
  serverFirst: string,
  nonce: string,
  { clientKey, storedKey }: { readonly clientKey: Buffer; readonly storedKey: Buffer },
): Buffer {
  const withoutProof = `c=biws,r=${nonce}`
  const proof = createHmac('sha256', storedKey).update(`${CLIENT_FIRST_BARE},${serverFirst},${withoutProof}`).digest()
  for (let index = 0; index < proof.length; index++) proof[index] = Number(proof[index]) ^ Number(clientKey[index])
  return message('p', Buffer.from(`${withoutProof},p=${proof.toString('base64')}`))
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.write(TERMINATE)
  })
}

function message(tag: string, body: Buffer): Buffer {
  const header = Buffer.from(`${tag}0000`)
  header.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

function saslInitialResponse(): Buffer {
  const clientFirst = Buffer.from(`n,,${CLIENT_FIRST_BARE}`)
  const length = Buffer.alloc(4)
  length.writeInt32BE(clientFirst.length)
  return Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, clientFirst])
}

function startupMessage({ user, database }: Target): Buffer {
  const parameters = `user\0${user}\0database\0${database}\0client_encoding\0UTF8\0\0`
  const body = Buffer.from(`\0\0\0\0\0\x03\0\0${parameters}`)
  body.writeInt32BE(body.length)
  return body
}

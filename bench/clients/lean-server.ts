/**
 * What a client sees of PostgreSQL until the session is ready, without PostgreSQL's price for it: no process for each
 * connection. SCRAM and TLS are real, every proof is judged; nothing can be asked. For rates that a machine which runs client,
 * path and server at once could not take otherwise, so that not the server is what is measured.
 *
 * Not judged: what binds a proof to its TLS channel. Manual: #PROTOCOL-FLOW-START-UP.
 */
import { createServer, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { encodeBackend } from '../../src/testing/encode-backend.ts'
import { ScramServer, scramKeys } from '../../src/testing/scram-server.ts'

/** What its one argument says, as JSON. */
export interface LeanServerOptions {
  readonly password: string
  readonly iterations: number
  readonly certificate: string
  readonly privateKey: string
}

const SSL_REQUEST = 80_877_103
const TLS_RECORD = 0x16
const OFFER = encodeBackend({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] })
const OFFER_IN_TLS = encodeBackend({ type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] })
/** As PostgreSQL 18 reports them. */
const PARAMETERS = {
  in_hot_standby: 'off',
  integer_datetimes: 'on',
  TimeZone: 'UTC',
  IntervalStyle: 'postgres',
  search_path: '"$user", public',
  is_superuser: 'off',
  application_name: '',
  default_transaction_read_only: 'off',
  scram_iterations: '4096',
  DateStyle: 'ISO, MDY',
  standard_conforming_strings: 'on',
  session_authorization: 'bench',
  client_encoding: 'UTF8',
  server_version: '18.4',
  server_encoding: 'UTF8',
}
const WELCOME = Buffer.concat([
  encodeBackend({ type: 'AuthenticationOk' }),
  ...Object.entries(PARAMETERS).map(([name, value]) => encodeBackend({ type: 'ParameterStatus', name, value })),
  encodeBackend({ type: 'BackendKeyData', processId: 4_711, secretKey: new Uint8Array(4) }),
  encodeBackend({ type: 'ReadyForQuery', status: 'I' }),
])

const { password, iterations, certificate, privateKey }: LeanServerOptions = JSON.parse(process.argv[2] ?? '')
const secureContext = createSecureContext({ cert: certificate, key: privateKey })
// Before anybody waits for it.
scramKeys(password, iterations)

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (first: Buffer) => {
    if (first[0] === TLS_RECORD) {
      socket.unshift(first)
      serve(secure(socket, secureContext), OFFER_IN_TLS)
    } else if (first.length === 8 && first.readInt32BE(4) === SSL_REQUEST) {
      socket.write('S')
      serve(secure(socket, secureContext), OFFER_IN_TLS)
    } else {
      serve(socket, OFFER)
      socket.emit('data', first)
    }
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  process.send?.(server.address())
})
process.once('disconnect', () => process.exit())

function secure(socket: Socket, context: SecureContext): TLSSocket {
  return new TLSSocket(socket, { isServer: true, secureContext: context, ALPNProtocols: ['postgresql'] })
}

/** From the StartupMessage on. */
function serve(socket: Socket, offer: Buffer): void {
  const scram = new ScramServer({ password, iterations })
  let pending: Buffer = Buffer.alloc(0)
  let isStarted = false
  let isChallenged = false
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    const answers: Buffer[] = []
    for (;;) {
      const headerBytes = isStarted ? 5 : 4
      if (pending.length < headerBytes) break
      const endsAt = headerBytes - 4 + pending.readInt32BE(headerBytes - 4)
      if (pending.length < endsAt) break
      const tag = pending.toString('latin1', 0, 1)
      const body = pending.subarray(headerBytes, endsAt)
      pending = pending.subarray(endsAt)
      if (!isStarted) {
        isStarted = true
        answers.push(offer)
      } else if (tag === 'p' && !isChallenged) {
        isChallenged = true
        // The mechanism and its NUL, then an Int32 that counts the rest.
        const data = scram.first(body.subarray(body.indexOf(0) + 5))
        answers.push(encodeBackend({ type: 'AuthenticationSASLContinue', data }))
      } else if (tag === 'p' && scram.isProven(body)) {
        answers.push(encodeBackend({ type: 'AuthenticationSASLFinal', data: scram.final(body) }), WELCOME)
      } else {
        socket.end()
        return
      }
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers))
  })
}

/**
 * What a client sees of PostgreSQL until the session is ready, without PostgreSQL's price for it: no process for each
 * connection. SCRAM and TLS are real, every proof is judged; every query gets the same row. For rates that a machine which runs client,
 * path and server at once could not take otherwise, so that not the server is what is measured.
 *
 * Not judged: what binds a proof to its TLS channel. Manual: #PROTOCOL-FLOW-START-UP.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, TLSSocket } from 'node:tls'
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
const ROW = Buffer.concat([
  encodeBackend({
    type: 'RowDescription',
    columns: [
      { name: '?column?', tableOid: 0, attributeNumber: 0, typeOid: 23, typeSize: 4, typeModifier: -1, format: 0 },
    ],
  }),
  encodeBackend({ type: 'DataRow', values: [Buffer.from('1')] }),
  encodeBackend({ type: 'CommandComplete', commandTag: 'SELECT 1' }),
  encodeBackend({ type: 'ReadyForQuery', status: 'I' }),
])

const { password, iterations, certificate, privateKey }: LeanServerOptions = JSON.parse(process.argv[2] ?? '')
const ALPNProtocols = ['postgresql']
const secureContext = createSecureContext({ cert: certificate, key: privateKey })
// Before anybody waits for it.
scramKeys(password, iterations)

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (first: Buffer) => {
    if (first.length === 8 && first.readInt32BE(4) === SSL_REQUEST) {
      socket.write('S')
      serve(new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols }), OFFER_IN_TLS)
    } else {
      serve(socket, OFFER)
      socket.emit('data', first)
    }
  })
})
// What has been read of a socket cannot be put back for TLS: who begins with it has a port of its own.
const direct = createTlsServer({ cert: certificate, key: privateKey, ALPNProtocols }, (socket) =>
  serve(socket, OFFER_IN_TLS),
)
process.send?.({ port: await listen(server), directPort: await listen(direct) })
process.once('disconnect', () => process.exit())

function listen(one: Server): Promise<number> {
  const options = { port: 0, host: '127.0.0.1', backlog: 4_096 }
  return new Promise((resolve) => one.listen(options, () => resolve((one.address() as AddressInfo).port)))
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
      } else if (tag === 'Q') {
        answers.push(ROW)
      } else {
        socket.end()
        return
      }
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers))
  })
}

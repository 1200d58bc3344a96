/**
 * Our messages, whole and damaged, to a real server over a bare socket: it must answer what the model says (server-model.ts).
 * Everything is sent at once with a FIN behind it, so that the server comes to an end by itself and nobody has to guess when.
 */
import { connect } from 'node:net'
import fc from 'fast-check'
import { encodeFrontend, type FrontendMessage } from '../../src/protocol/frontend.ts'
import { encodeStartup, type StartupPacket } from '../../src/protocol/startup.ts'
import { type FuzzServer, PASSWORD, ROLES } from './fuzz-server.ts'
import { type FuzzOptions, fuzzInLanes } from './seed.ts'
import { type ModelState, predict } from './server-model.ts'

const LANES = 4

/** What leads to each state, and how the server has answered by then. */
const APPROACH: Readonly<Record<ModelState, { readonly user: string | null; readonly answer: string }>> = {
  opened: { user: null, answer: '' },
  password: { user: ROLES.password, answer: 'R:3 ' },
  scram: { user: ROLES['scram-sha-256'], answer: 'R:10 ' },
  ready: { user: ROLES.trust, answer: 'R:0 Z ' },
}

export interface Speech {
  readonly state: ModelState
  /** In hexadecimal, as it is printed. */
  readonly hex: string
}

const arbitrarySpeech: fc.Arbitrary<Speech> = fc.oneof(
  speechIn('opened', fc.array(mutated(arbitraryStartup()), { minLength: 1, maxLength: 2 })),
  ...(['password', 'scram', 'ready'] as const).map((state) =>
    speechIn(state, fc.array(mutated(arbitraryFrontend(state)), { minLength: 1, maxLength: 3 })),
  ),
)

/** Says `runs` of them, and throws for the first answer that the model did not predict. Returns how often each was given. */
export async function fuzzMessages({ server }: FuzzServer, options: FuzzOptions): Promise<Map<string, number>> {
  const answers = new Map<string, number>()
  await fuzzInLanes(options, LANES, arbitrarySpeech, async ({ state, hex }) => {
    const bytes = Buffer.from(hex, 'hex')
    const { user, answer: before } = APPROACH[state]
    const opening = user === null ? Buffer.alloc(0) : startup({ user, database: 'postgres' })
    const answer = await say(server, Buffer.concat([opening, bytes]))
    if (!answer.startsWith(before)) throw new Error(`${state} was not reached: ${answer}`)
    const behind = answer.slice(before.length)
    const prediction = predict(state, bytes)
    if (!prediction.test(behind))
      throw new Error(`in ${state} the server answers ‘${behind}’, the model ${prediction.source}`)
    const key = `${state}: ${behind}`
    answers.set(key, (answers.get(key) ?? 0) + 1)
  })
  return answers
}

function speechIn(state: ModelState, pieces: fc.Arbitrary<Buffer[]>): fc.Arbitrary<Speech> {
  return pieces.map((all) => ({ state, hex: Buffer.concat(all).toString('hex') }))
}

function startup(parameters: Readonly<Record<string, string>>, protocolVersion = 0x0003_0000): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => ({ name, value }))
  return encodeStartup({ type: 'StartupMessage', protocolVersion, parameters: pairs })
}

function arbitraryStartup(): fc.Arbitrary<Buffer> {
  const word = fc.stringMatching(/^[a-z_.]{1,12}$/)
  const parameters = fc.record(
    {
      user: fc.oneof(fc.constantFrom(...Object.values(ROLES)), fc.constantFrom('nobody', ''), word),
      database: fc.constantFrom('postgres', 'template1', 'nowhere', ''),
      application_name: fc.string({ maxLength: 80 }).map((text) => text.replaceAll('\0', '')),
      client_encoding: fc.constantFrom('UTF8', 'LATIN1', 'NONSENSE'),
      DateStyle: fc.constantFrom('ISO', 'nonsense'),
      no_such_setting: word,
      '_pq_.extension': word,
    },
    { requiredKeys: ['user'] },
  )
  const versions = fc.constantFrom(0x0003_0000, 0x0003_0002, 0x0003_0063, 0x0002_0000, 0x0004_0000)
  const requests = fc.constantFrom<StartupPacket>(
    { type: 'SSLRequest' },
    { type: 'GSSENCRequest' },
    { type: 'CancelRequest', processId: 1, secretKey: Buffer.from('01020304', 'hex') },
  )
  return fc.oneof(
    { weight: 5, arbitrary: fc.tuple(parameters, versions).map(([all, version]) => startup(all as never, version)) },
    { weight: 1, arbitrary: requests.map(encodeStartup) },
  )
}

function arbitraryFrontend(state: ModelState): fc.Arbitrary<Buffer> {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((one) => one.replaceAll('\0', ''))
  const data = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
  const first = fc.constantFrom(
    'n,,n=,r=fyko+d2lbbFgONRv9qkxdawL',
    'y,,n=,r=x',
    'n,a=x,n=,r=x',
    'p=tls-unique,,n=,r=x',
    '',
  )
  const saslFirst = fc.record({
    type: fc.constant('SASLInitialResponse' as const),
    mechanism: fc.constantFrom('SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'PLAIN', ''),
    data: fc.oneof(
      first.map((one) => Buffer.from(one, 'latin1')),
      data,
    ),
  })
  const query = fc.record({
    type: fc.constant('Query' as const),
    query: fc.constantFrom(
      'select 1',
      '',
      ' ; ',
      'select 1; select 2',
      'no such statement',
      'select 1/0',
      'begin',
      'rollback',
    ),
  })
  const others = fc.oneof(
    fc.record({
      type: fc.constant('PasswordMessage' as const),
      password: fc.oneof(fc.constantFrom(PASSWORD, `${PASSWORD}x`, ''), text),
    }),
    saslFirst,
    fc.record({ type: fc.constant('SASLResponse' as const), data }),
    query,
    fc.record({ type: fc.constant('CopyData' as const), data }),
    fc.constantFrom<FrontendMessage>({ type: 'CopyDone' }, { type: 'Terminate' }),
    fc.record({ type: fc.constant('CopyFail' as const), reason: text }),
  )
  const apt = state === 'scram' ? saslFirst : state === 'ready' ? query : others
  return fc.oneof(apt, others).map(encodeFrontend)
}

/** As it is, more often than not; or damaged by as much as a byte; or no message at all. */
function mutated(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const damage = fc.record({
    do: fc.constantFrom('change' as const, 'insert' as const, 'remove' as const, 'cut' as const),
    where: fc.oneof(fc.nat(12), fc.nat(10_000)),
    byte: fc.oneof(fc.constantFrom(0x00, 0x7f, 0xff), fc.nat(0xff)),
  })
  const damaged = fc.tuple(whole, damage).map(([bytes, { do: what, where, byte }]) => {
    const at = where % (bytes.length + 1)
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    if (what === 'cut') return before
    const middle = Buffer.from(what === 'remove' ? [] : [byte])
    return Buffer.concat([before, middle, what === 'insert' ? after : after.subarray(1)])
  })
  const raw = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))
  return fc.oneof({ weight: 5, arbitrary: whole }, { weight: 5, arbitrary: damaged }, { weight: 1, arbitrary: raw })
}

/** All that the server answers until it closes the connection, as the model writes it. */
function say({ host, port }: { host: string; port: number }, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ host, port }, () => socket.end(bytes))
    const timer = setTimeout(
      () => socket.destroy(new Error('the server has not closed the connection in 10 s')),
      10_000,
    )
    socket.on('data', (chunk) => chunks.push(chunk))
    // A server that leaves with something unread resets the connection, behind what it had to say.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(transcribe(Buffer.concat(chunks)))
    })
  })
}

function transcribe(bytes: Buffer): string {
  // The answer to SSLRequest or GSSENCRequest has no length; an ErrorResponse has a first length below 64 KiB, hence a zero.
  if ((bytes[0] === 0x53 || bytes[0] === 0x4e) && bytes[1] !== 0) {
    return `'${bytes.toString('latin1', 0, 1)}' ${bytes.length > 1 ? transcribe(bytes.subarray(1)) : ''}`
  }
  let words = ''
  for (let offset = 0; offset < bytes.length; ) {
    const tag = bytes.toString('latin1', offset, offset + 1)
    const end = offset + 5 > bytes.length ? -1 : offset + 1 + bytes.readInt32BE(offset + 1)
    // Protocol 2 and TLS: nothing that we read.
    if (end < offset + 5 || end > bytes.length) return `${words}raw `
    words += transcribeOne(tag, bytes.subarray(offset + 5, end))
    offset = end
  }
  return words
}

function transcribeOne(tag: string, body: Buffer): string {
  if (tag === 'S' || tag === 'K' || tag === 'N') return ''
  if (tag === 'R') return `R:${body.readInt32BE(0)} `
  if (tag !== 'E') return `${tag} `
  const fields = new Map(
    body
      .toString('utf8')
      .split('\0')
      .map((field) => [field[0], field.slice(1)]),
  )
  return `E:${fields.get('V')}:${fields.get('C')} `
}

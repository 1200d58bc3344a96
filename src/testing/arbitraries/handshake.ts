/**
 * A whole lawful handshake with a server of any profile: what the server sends, and what it waits for before it does. Each
 * answer depends on the client in one thing only, the nonce of SCRAM; `completeHandshake` makes the handshake of another one.
 *
 * Manual: #PROTOCOL-FLOW-START-UP, #PROTOCOL-FLOW-SSL, #SASL-AUTHENTICATION.
 */
import fc from 'fast-check'
import type { BackendMessage } from '../../protocol/backend.ts'
import { endPointOf } from '../certificate-shape.ts'
import { encodeBackend } from '../encode-backend.ts'
import { arbitraryText } from './message.ts'
import { arbitraryScramParts, completeScram, type ScramExchange, type ScramParts } from './scram-exchange.ts'
import { arbitraryServerProfile, type ServerProfile } from './server-profile.ts'

/** How the client goes into it. */
export interface HandshakeClient {
  readonly user: string
  readonly database: string
  readonly protocolVersion: '3.0' | '3.2'
  /** 'preferred': plaintext if the server says no. 'required' is only met with a server that speaks TLS. */
  readonly encryption: 'off' | 'preferred' | 'required'
  /** TLS from the first byte (sslnegotiation=direct), which PostgreSQL has since version 17. Only where TLS is required. */
  readonly directTls: boolean
  /** 'require' is only met where SCRAM can be bound; 'prefer' is not where it is offered and the certificate names no hash. */
  readonly channelBinding: 'disable' | 'prefer' | 'require'
}

/** All that a handshake is made from. */
export interface HandshakeParts {
  readonly profile: ServerProfile
  readonly client: HandshakeClient
  /** The password and, under SCRAM, the exchange; its flag and end point follow from TLS. */
  readonly scram: ScramParts
  readonly md5Salt: Buffer
  readonly processId: number
  /** 32 bytes, of which protocol 3.0 has four. */
  readonly secretKey: Buffer
}

export type Awaited = 'SSLRequest' | 'StartupMessage' | 'PasswordMessage' | 'SASLInitialResponse' | 'SASLResponse'

/** What a server sends in one go. */
export interface Flight {
  /** The message of the client that it waits for before. */
  readonly waitsFor: Awaited
  /** What the bytes are; none for the answer to SSLRequest, which is no message. */
  readonly messages: readonly BackendMessage[]
  readonly bytes: Buffer
}

export interface Handshake extends HandshakeParts {
  readonly isSecured: boolean
  /** What both sides speak in the end. */
  readonly negotiated: '3.0' | '3.2'
  /** null where the method is another one. */
  readonly exchange: ScramExchange | null
  readonly flights: readonly Flight[]
}

/**
 * Any handshake that ends with ReadyForQuery. With method 'password' and no TLS, a client that refuses to send a password in the
 * clear is right to do so, and has to be told that it may.
 *
 * @example
 * fc.assert(fc.property(arbitraryHandshake(), ({ flights }) =>
 *   flights.at(-1)?.messages.at(-1)?.type === 'ReadyForQuery'))
 */
export function arbitraryHandshake(): fc.Arbitrary<Handshake> {
  return fc
    .record(
      {
        profile: arbitraryServerProfile(),
        client: fc.record(
          {
            user: arbitraryText(12, 1),
            database: arbitraryText(12, 1),
            protocolVersion: fc.constantFrom('3.0', '3.2'),
            encryption: fc.constantFrom('off', 'preferred', 'required'),
            directTls: fc.boolean(),
            channelBinding: fc.constantFrom('disable', 'prefer', 'require'),
          },
          { noNullPrototype: true },
        ),
        scram: arbitraryScramParts(),
        md5Salt: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((salt) => Buffer.from(salt)),
        processId: fc.integer({ min: 1, max: 0x7fff_ffff }),
        secretKey: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((key) => Buffer.from(key)),
      },
      { noNullPrototype: true },
    )
    .map(({ client, ...parts }) => completeHandshake({ ...parts, client: suited(client, parts.profile) }))
}

/** The client with nothing that this server cannot have. */
function suited(client: HandshakeClient, profile: ServerProfile): HandshakeClient {
  const encryption = client.encryption === 'required' && !profile.speaksTls ? 'preferred' : client.encryption
  const isModern = profile.serverVersion === '17.6' || profile.serverVersion === '18.4'
  const isOffered =
    profile.method === 'scram-sha-256' && profile.bindsChannel && profile.speaksTls && encryption !== 'off'
  const hasEndPoint = endPointOf(profile.signature, profile.certificate) !== null
  const { channelBinding } = client
  const isImpossible = channelBinding === 'require' ? !isOffered || !hasEndPoint : isOffered && !hasEndPoint
  return {
    ...client,
    encryption,
    directTls: client.directTls && isModern && encryption === 'required',
    channelBinding: isImpossible ? 'disable' : channelBinding,
  }
}

/** What these two say to each other. With other parts, it is what they would have said then. */
export function completeHandshake(parts: HandshakeParts): Handshake {
  const { profile, client } = parts
  const isSecured = client.encryption !== 'off' && profile.speaksTls
  const negotiated = client.protocolVersion === '3.2' ? profile.newestProtocol : '3.0'
  const exchange = profile.method === 'scram-sha-256' ? completeScram(scramPartsOf(parts, isSecured)) : null

  const flights: Flight[] = []
  if (client.encryption !== 'off' && !client.directTls) {
    flights.push({ waitsFor: 'SSLRequest', messages: [], bytes: Buffer.from(profile.speaksTls ? 'S' : 'N') })
  }
  const opening: BackendMessage[] = []
  if (negotiated !== client.protocolVersion) {
    opening.push({ type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] })
  }
  const welcome: readonly BackendMessage[] = [{ type: 'AuthenticationOk' }, ...greetingOf(parts, negotiated)]
  switch (profile.method) {
    case 'trust':
      flights.push(flight('StartupMessage', ...opening, ...welcome))
      break
    case 'password':
      flights.push(flight('StartupMessage', ...opening, { type: 'AuthenticationCleartextPassword' }))
      flights.push(flight('PasswordMessage', ...welcome))
      break
    case 'md5':
      flights.push(flight('StartupMessage', ...opening, { type: 'AuthenticationMD5Password', salt: parts.md5Salt }))
      flights.push(flight('PasswordMessage', ...welcome))
      break
    case 'scram-sha-256': {
      const { serverFirst, serverFinal } = exchange as ScramExchange
      const mechanisms = isSecured && profile.bindsChannel ? ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] : ['SCRAM-SHA-256']
      flights.push(flight('StartupMessage', ...opening, { type: 'AuthenticationSASL', mechanisms }))
      flights.push(flight('SASLInitialResponse', { type: 'AuthenticationSASLContinue', data: serverFirst }))
      flights.push(flight('SASLResponse', { type: 'AuthenticationSASLFinal', data: serverFinal }, ...welcome))
    }
  }
  return { ...parts, isSecured, negotiated, exchange, flights }
}

/** A client that may bind the channel does so if it is offered, and says that it could have if it is not. */
function scramPartsOf({ profile, client, scram }: HandshakeParts, isSecured: boolean): ScramParts {
  if (!isSecured || client.channelBinding === 'disable') return { ...scram, flag: 'n' }
  const endPoint = endPointOf(profile.signature, profile.certificate)
  return profile.bindsChannel && endPoint !== null ? { ...scram, flag: 'p', endPoint } : { ...scram, flag: 'y' }
}

/** Between AuthenticationOk and the end: parameters, notices and the key, in turn. */
function greetingOf({ profile, processId, secretKey }: HandshakeParts, negotiated: '3.0' | '3.2'): BackendMessage[] {
  const greeting: BackendMessage[] = profile.parameters.map(([name, value]) => ({
    type: 'ParameterStatus',
    name,
    value,
  }))
  for (const [index, text] of profile.notices.entries()) {
    const fields = [
      { code: 'S', value: 'NOTICE' },
      { code: 'V', value: 'NOTICE' },
      { code: 'C', value: '00000' },
      { code: 'M', value: text },
    ]
    greeting.splice(2 * index, 0, { type: 'NoticeResponse', fields })
  }
  if (profile.pooler !== 'keyless') {
    // #PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA: four bytes under 3.0, and PostgreSQL 18 sends 32 under 3.2.
    const key = negotiated === '3.0' ? secretKey.subarray(0, 4) : secretKey
    greeting.splice(processId % (greeting.length + 1), 0, { type: 'BackendKeyData', processId, secretKey: key })
  }
  return [...greeting, { type: 'ReadyForQuery', status: 'I' }]
}

function flight(waitsFor: Awaited, ...messages: BackendMessage[]): Flight {
  return { waitsFor, messages, bytes: Buffer.concat(messages.map(encodeBackend)) }
}

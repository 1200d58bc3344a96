/**
 * A second opinion: the start-up of PostgreSQL's protocol as the manual tells it, as one coroutine. It says what a client must
 * send and how the conversation ends, for anything that a server may say. Written from the manual; it shares no code and no
 * shape with src/state, and knows bytes only as lawful or unlawful.
 *
 * Manual: #PROTOCOL-FLOW-SSL, #PROTOCOL-FLOW-START-UP, #SASL-AUTHENTICATION, #PROTOCOL-FLOW-SIMPLE-QUERY, #PROTOCOL-ASYNC,
 * #PROTOCOL-MESSAGE-FORMATS, and of libpq #LIBPQ-CONNECT-TARGET-SESSION-ATTRS.
 */

/** What a client goes in with. */
export interface Client {
  readonly tls: 'off' | 'preferred' | 'required'
  readonly password: boolean
  readonly mayShowPassword: boolean
  readonly oldestVersion: '3.0' | '3.2'
  readonly newestVersion: '3.0' | '3.2'
  readonly wanted: 'any' | 'primary' | 'standby'
}

/** What a server says, as far as it matters to the flow. */
export type Said =
  | { readonly type: 'TlsAccepted' | 'TlsRefused' | 'AuthenticationOk' | 'AuthenticationCleartextPassword' }
  | { readonly type: 'AuthenticationMD5Password' | 'AuthenticationKerberosV5' | 'AuthenticationGSS' }
  | { readonly type: 'AuthenticationGSSContinue' | 'AuthenticationSSPI' | 'ErrorResponse' | 'NoticeResponse' }
  | { readonly type: 'NotificationResponse' | 'RowDescription' | 'CommandComplete' | 'EmptyQueryResponse' }
  | { readonly type: 'CopyInResponse' | 'CopyOutResponse' | 'CopyBothResponse' | 'CopyData' | 'CopyDone' }
  | { readonly type: 'ConnectionLost' }
  | { readonly type: 'AuthenticationSASL'; readonly mechanisms: readonly string[] }
  /** Whether the nonce begins with the client's own (RFC 5802 section 5.1). */
  | { readonly type: 'AuthenticationSASLContinue'; readonly ourNonce: boolean }
  /** Whether the signature is that of one who knows the password. */
  | { readonly type: 'AuthenticationSASLFinal'; readonly rightSignature: boolean }
  | { readonly type: 'NegotiateProtocolVersion'; readonly newest: number }
  | { readonly type: 'ParameterStatus'; readonly name: string; readonly value: string }
  | { readonly type: 'BackendKeyData'; readonly keyBytes: number }
  | { readonly type: 'ReadyForQuery' }
  | { readonly type: 'DataRow'; readonly value: string }

/** 'unlawful': no server may say so. 'unwanted': a session, but not the kind that was asked for. */
export type End =
  | { readonly end: 'ready'; readonly method: string; readonly version: string; readonly canCancel: boolean }
  | { readonly end: 'refused' | 'lost' | 'unlawful' | 'unproven' | 'incompatible' | 'policy' | 'config' | 'unwanted' }

/** Each `yield` names what the client sends, nothing included, and waits for what the server says to that. */
type Conversation<T> = Generator<readonly string[], T, Said>

class Over extends Error {
  readonly end: Exclude<End, { readonly end: 'ready' }>

  constructor(end: Over['end']['end']) {
    super(end)
    this.end = { end }
  }
}

/** A conversation that is under way: what the client has sent so far, and how it ended, if it has. */
export class ReferenceModel {
  readonly sent: string[] = []
  end: End | null = null
  readonly #conversation: Conversation<End>

  constructor(client: Client) {
    this.#conversation = converse(client)
    this.#go(() => this.#conversation.next())
  }

  hear(said: Said): void {
    if (this.end === null) this.#go(() => this.#conversation.next(said))
  }

  #go(next: () => IteratorResult<readonly string[], End>): void {
    try {
      const { done, value } = next()
      if (done) this.end = value
      else this.sent.push(...value)
    } catch (error) {
      if (!(error instanceof Over)) throw error
      this.end = error.end
    }
  }
}

function* converse(client: Client): Conversation<End> {
  const isSecured = yield* encrypt(client)
  const { method, version } = yield* authenticate(client, isSecured)

  // "[...] the frontend must wait for further messages". A reading: notifications may be among them, #PROTOCOL-ASYNC.
  let canCancel = false
  const parameters = new Map<string, string>()
  for (;;) {
    const said = yield* hear([])
    if (said.type === 'ReadyForQuery') break
    else if (said.type === 'ParameterStatus') parameters.set(said.name, said.value)
    else if (said.type === 'BackendKeyData') {
      // "Before protocol version 3.2, the secret key was always 4 bytes long": afterwards 4 to 256.
      if (said.keyBytes < 4 || said.keyBytes > (version === '3.0' ? 4 : 256)) throw new Over('unlawful')
      // A reading: "this message" is one message. The manual does not say what a second one would mean.
      if (canCancel) throw new Over('unlawful')
      canCancel = true
    } else if (said.type !== 'NotificationResponse') throw new Over('unlawful')
  }
  yield* examine(client, parameters)
  return { end: 'ready', method, version, canCancel }
}

/** #PROTOCOL-FLOW-SSL: one byte answers SSLRequest, 'S', 'N', or the 'E' of a server that is older than that. */
function* encrypt({ tls }: Client): Conversation<boolean> {
  if (tls === 'off') return false
  const said = yield ['SSLRequest']
  if (said.type === 'ConnectionLost') throw new Over('lost')
  // CVE-2024-10977: the text is nobody's that we know. It is a refusal whatever it says.
  if (said.type === 'ErrorResponse') throw new Over('refused')
  if (said.type === 'TlsRefused' && tls === 'required') throw new Over('policy')
  if (said.type !== 'TlsAccepted' && said.type !== 'TlsRefused') throw new Over('unlawful')
  return said.type === 'TlsAccepted'
}

function* authenticate(client: Client, isSecured: boolean): Conversation<{ method: string; version: string }> {
  let version: string = client.newestVersion
  let said = yield* hear(['StartupMessage'])
  // "the highest supported minor version": lower than what was asked for, and 3.1 was never one. A reading: it comes first, as
  // "After this message, the authentication will continue using the version indicated by the server" has it, and
  // #PROTOCOL-FLOW-START-UP where it lists the messages of each phase; one sentence there allows it behind AuthenticationOk too.
  if (said.type === 'NegotiateProtocolVersion') {
    if (said.newest !== 0x30000 || version === '3.0') throw new Over('unlawful')
    if (client.oldestVersion === '3.2') throw new Over('incompatible')
    version = '3.0'
    said = yield* hear([])
  }
  switch (said.type) {
    case 'AuthenticationOk':
      return { method: 'none', version }
    case 'AuthenticationCleartextPassword':
      if (!client.password) throw new Over('config')
      if (!client.mayShowPassword && !isSecured) throw new Over('policy')
      accept(yield* hear(['PasswordMessage']))
      return { method: 'password', version }
    case 'AuthenticationMD5Password':
      if (!client.password) throw new Over('config')
      accept(yield* hear(['PasswordMessage']))
      return { method: 'md5', version }
    case 'AuthenticationSASL':
      yield* scram(client, isSecured, said.mechanisms)
      return { method: 'scram-sha-256', version }
    // "If the frontend does not support the authentication method [...] it should immediately close the connection."
    case 'AuthenticationKerberosV5':
    case 'AuthenticationGSS':
    case 'AuthenticationSSPI':
      throw new Over('incompatible')
    default:
      throw new Over('unlawful')
  }
}

/** #SASL-SCRAM-SHA-256. */
function* scram({ password }: Client, isSecured: boolean, mechanisms: readonly string[]): Conversation<void> {
  // A reading: "if the server is built with SSL support" says less, but PostgreSQL offers it in TLS only, and libpq ends here too.
  if (mechanisms.includes('SCRAM-SHA-256-PLUS') && !isSecured) throw new Over('unlawful')
  if (!mechanisms.some((one) => /^SCRAM-SHA-256(-PLUS)?$/.test(one))) throw new Over('incompatible')
  if (!password) throw new Over('config')
  const challenge = yield* hear(['SASLInitialResponse'])
  if (challenge.type !== 'AuthenticationSASLContinue') throw new Over('unlawful')
  if (!challenge.ourNonce) throw new Over('unproven')
  const final = yield* hear(['SASLResponse'])
  // SCRAM has additional data for the client, so AuthenticationSASLFinal is not to be left out.
  if (final.type !== 'AuthenticationSASLFinal') throw new Over('unlawful')
  if (!final.rightSignature) throw new Over('unproven')
  accept(yield* hear([]))
}

function accept(said: Said): void {
  if (said.type !== 'AuthenticationOk') throw new Over('unlawful')
}

/** #LIBPQ-CONNECT-TARGET-SESSION-ATTRS: the server reports it, from version 14 on, or it is asked. */
function* examine({ wanted }: Client, parameters: Map<string, string>): Conversation<void> {
  if (wanted === 'any') return
  let inRecovery = parameters.get('in_hot_standby')
  if (inRecovery === undefined) {
    const answers: Said[] = []
    for (const type of ['RowDescription', 'DataRow', 'CommandComplete', 'ReadyForQuery']) {
      let said = yield* hear(answers.length === 0 ? ['Query'] : [])
      // #PROTOCOL-ASYNC: these may come at any time.
      while (said.type === 'ParameterStatus' || said.type === 'NotificationResponse') said = yield* hear([])
      if (said.type !== type) throw new Over('unlawful')
      answers.push(said)
      if (said.type === 'DataRow') inRecovery = said.value === 't' ? 'on' : 'off'
    }
  }
  if ((inRecovery === 'on') !== (wanted === 'standby')) throw new Over('unwanted')
}

/** Send, and hear the next message that is not merely to be displayed. ErrorResponse ends it everywhere. */
function* hear(sent: readonly string[]): Conversation<Said> {
  let said = yield sent
  while (said.type === 'NoticeResponse') said = yield []
  if (said.type === 'ErrorResponse') throw new Over('refused')
  if (said.type === 'ConnectionLost') throw new Over('lost')
  return said
}

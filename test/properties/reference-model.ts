/**
 * A second opinion on the start-up, and a summary of it: what a client sends, and how it ends, whatever a server says.
 *
 * Written from PostgreSQL's manual (protocol.sgml of version 18; libpq.sgml and client-auth.sgml where cited) and RFC 5802, by
 * somebody who knew only the types below and the test that compares the two. The state machine was read after the first version
 * had met it. What they disagreed on was settled by the manual; where it is silent, contradicts itself or is laxer, by libpq 18,
 * cited at the place. What is not the protocol's (how ends are called, what an option means) was taken from the program.
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

/** A part of the conversation: each `yield` waits for what the server says next. */
type Part<T> = Generator<undefined, T, Said>

export class ReferenceModel {
  readonly sent: string[] = []
  end: End | null = null
  readonly #client: Client
  readonly #conversation = this.#converse()
  #isEncrypted = false
  #isAdmitted = false
  #isStandby: boolean | null = null

  constructor(client: Client) {
    this.#client = client
    this.#conversation.next()
  }

  /** #PROTOCOL-FLOW-TERMINATION, #PROTOCOL-FLOW-START-UP: a lost connection is the end at any time, and so is an error. */
  hear(said: Said): void {
    if (this.end !== null) return
    if (said.type === 'ConnectionLost') this.end = { end: 'lost' }
    else if (said.type === 'ErrorResponse') this.end = { end: 'refused' }
    else this.#conversation.next(said)
  }

  *#converse(): Part<void> {
    yield* this.#encrypt()
    this.sent.push('StartupMessage')
    const { version, request } = yield* this.#agreeOnVersion()
    const method = yield* this.#authenticate(request)
    this.#isAdmitted = true
    const canCancel = yield* this.#startUp(version)
    yield* this.#checkSession()
    this.end = { end: 'ready', method, version, canCancel }
  }

  /** #PROTOCOL-FLOW-SSL: S, N or an error. #LIBPQ-CONNECT-SSLMODE: 'require' tries TLS only. */
  *#encrypt(): Part<void> {
    if (this.#client.tls === 'off') return
    this.sent.push('SSLRequest')
    const { type } = yield
    if (type !== 'TlsAccepted' && type !== 'TlsRefused') return yield* this.#over('unlawful')
    this.#isEncrypted = type === 'TlsAccepted'
    if (!this.#isEncrypted && this.#client.tls === 'required') yield* this.#over('policy')
  }

  /**
   * #PROTOCOL-VERSIONS: a server may respond to the StartupMessage with the newest minor version that it speaks. It is an older
   * one, or there was no reason to say so (we ask for no options); 3.1 was never used; and the client may not want to go on.
   * #PROTOCOL-FLOW-START-UP is laxer. It lists the message for the whole of authentication, where libpq takes it too (once:
   * fe-connect.c, CONNECTION_AWAITING_RESPONSE), and mentions it after AuthenticationOk, where libpq does not (fe-protocol3.c,
   * pqParseInput3). A server sends it before it asks for anything (backend_startup.c, ProcessStartupPacket).
   */
  *#agreeOnVersion(): Part<{ version: string; request: Said }> {
    const { oldestVersion, newestVersion } = this.#client
    const said = yield* this.#next()
    if (said.type !== 'NegotiateProtocolVersion') return { version: newestVersion, request: said }
    if (newestVersion === '3.0' || said.newest !== 0x30000) return yield* this.#over('unlawful')
    if (oldestVersion !== '3.0') return yield* this.#over('incompatible')
    return { version: '3.0', request: yield* this.#next() }
  }

  /**
   * #PROTOCOL-FLOW-START-UP: one request and one response at most, except under SASL. A client that does not support the method
   * closes the connection. #AUTH-PASSWORD: a password in the clear is to be avoided, but safe under TLS.
   */
  *#authenticate(request: Said): Part<string> {
    const { type } = request
    if (type === 'AuthenticationOk') return 'none'
    if (type === 'AuthenticationSASL') return yield* this.#exchangeScram(request.mechanisms)
    const isOther = type === 'AuthenticationKerberosV5' || type === 'AuthenticationGSS' || type === 'AuthenticationSSPI'
    if (isOther) yield* this.#over('incompatible')
    const isShown = type === 'AuthenticationCleartextPassword'
    if (!isShown && type !== 'AuthenticationMD5Password') yield* this.#over('unlawful')
    if (!this.#client.password) yield* this.#over('config')
    if (isShown && !this.#isEncrypted && !this.#client.mayShowPassword) yield* this.#over('policy')
    this.sent.push('PasswordMessage')
    yield* this.#expect('AuthenticationOk')
    return isShown ? 'password' : 'md5'
  }

  /**
   * #SASL-SCRAM-SHA-256: offer, first message, challenge, final message, outcome, and immediately AuthenticationOk. In the
   * outcome the server proves that it knows the password (RFC 5802 section 3). libpq is laxer: without require_auth it believes
   * an AuthenticationOk before that (fe-auth.c, check_expected_areq).
   */
  *#exchangeScram(offered: readonly string[]): Part<string> {
    const isBound = offered.includes('SCRAM-SHA-256-PLUS')
    // The manual is laxer: it has every server that was built with TLS offer this. But whoever offers it without TLS sees some
    // that we do not see, and there is nothing to bind to (fe-auth.c, pg_SASL_init).
    if (isBound && !this.#isEncrypted) yield* this.#over('unlawful')
    if (!isBound && !offered.includes('SCRAM-SHA-256')) yield* this.#over('incompatible')
    if (!this.#client.password) yield* this.#over('config')
    this.sent.push('SASLInitialResponse')
    const { ourNonce } = yield* this.#expect('AuthenticationSASLContinue')
    if (!ourNonce) yield* this.#over('unproven')
    this.sent.push('SASLResponse')
    const { rightSignature } = yield* this.#expect('AuthenticationSASLFinal')
    if (!rightSignature) yield* this.#over('unproven')
    yield* this.#expect('AuthenticationOk')
    return 'scram-sha-256'
  }

  /**
   * #PROTOCOL-FLOW-START-UP: some ParameterStatus, BackendKeyData, and finally ReadyForQuery. One key, though libpq takes the
   * last of several. #PROTOCOL-MESSAGE-FORMATS-BACKENDKEYDATA: 256 bytes at most, and always 4 before 3.2. That 3.2 has no less
   * than 4 is libpq's (both: fe-protocol3.c, getBackendKeyData).
   */
  *#startUp(version: string): Part<boolean> {
    const said = yield* this.#next()
    if (said.type === 'ReadyForQuery') return false
    if (said.type !== 'BackendKeyData') return yield* this.#over('unlawful')
    if (said.keyBytes < 4 || said.keyBytes > (version === '3.0' ? 4 : 256)) yield* this.#over('unlawful')
    yield* this.#expect('ReadyForQuery')
    return true
  }

  /** #LIBPQ-CONNECT-TARGET-SESSION-ATTRS. Who has not said whether it is a standby is asked: #PROTOCOL-FLOW-SIMPLE-QUERY. */
  *#checkSession(): Part<void> {
    const { wanted } = this.#client
    if (wanted === 'any') return
    if (this.#isStandby === null) {
      this.sent.push('Query')
      yield* this.#expect('RowDescription')
      const { value } = yield* this.#expect('DataRow')
      this.#isStandby = value === 't'
      yield* this.#expect('CommandComplete')
      yield* this.#expect('ReadyForQuery')
    }
    if (this.#isStandby !== (wanted === 'standby')) yield* this.#over('unwanted')
  }

  /**
   * #PROTOCOL-FLOW-SIMPLE-QUERY: a NoticeResponse whenever another message is expected (libpq: only after AuthenticationOk).
   * #PROTOCOL-ASYNC, #PROTOCOL-FLOW: after it, a NotificationResponse at any point, and a ParameterStatus when a value changes.
   * The latest value holds, also over an answer that came before it.
   */
  *#next(): Part<Said> {
    for (;;) {
      const said = yield
      const { type } = said
      if (type === 'NoticeResponse' || (this.#isAdmitted && type === 'NotificationResponse')) continue
      if (!this.#isAdmitted || type !== 'ParameterStatus') return said
      if (said.name === 'in_hot_standby') this.#isStandby = said.value === 'on'
    }
  }

  *#expect<T extends Said['type']>(type: T): Part<Extract<Said, { type: T }>> {
    const said = yield* this.#next()
    return said.type === type ? (said as Extract<Said, { type: T }>) : yield* this.#over('unlawful')
  }

  *#over(end: Exclude<End['end'], 'ready'>): Part<never> {
    this.end = { end }
    for (;;) yield
  }
}

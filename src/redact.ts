/**
 * What of a message may be shown to others: for subscribers and for logs. A list of what may be seen, not of what must be
 * hidden: a password, a proof, a nonce, a key, a row or the text of a query is not on it.
 */
import { secretsOf, withhold } from './echo.ts'
import type { Spoken } from './observation.ts'
import { printable } from './protocol/printable.ts'
import { readReport } from './protocol/response-fields.ts'

/** Some fields of a message, by names of their own. */
export type MessageView = Readonly<Record<string, string | number | readonly string[]>>

const NOTHING: MessageView = {}

/** Shows the messages of one connect, in order: what was said in secret is known to it, should a server say it back. */
export class Redactor {
  readonly #secrets: string[] = []
  readonly #known: string[] = []

  view(message: Spoken['message']): MessageView {
    switch (message?.type) {
      case undefined:
        return NOTHING
      case 'StartupMessage': {
        const { user = '', database = '' } = Object.fromEntries(
          message.parameters.map(({ name, value }) => [name, value]),
        )
        this.#known.push(user, database)
        const parameters = message.parameters.map(({ name }) => name)
        return { protocolVersion: shownVersion(message.protocolVersion), user, database, parameters }
      }
      case 'CancelRequest':
      case 'BackendKeyData':
        return { processId: message.processId }
      case 'PasswordMessage':
        this.#secrets.push(...secretsOf(message))
        return NOTHING
      case 'SASLInitialResponse':
        this.#secrets.push(...noncesOf(message.data ?? new Uint8Array()))
        return { mechanism: message.mechanism }
      case 'SASLResponse':
        this.#secrets.push(...secretsOf(message), ...noncesOf(message.data))
        return NOTHING
      case 'AuthenticationSASL':
        return { mechanisms: message.mechanisms.map((mechanism) => this.#clean(mechanism)) }
      case 'AuthenticationSASLContinue': {
        // RFC 5802 section 7: nonce and salt stand before it.
        const [, iterations] = /,i=([0-9]{1,9})(?:,|$)/.exec(textOf(message.data)) ?? []
        return iterations === undefined ? NOTHING : { iterations: Number(iterations) }
      }
      case 'NegotiateProtocolVersion': {
        const unrecognizedOptions = message.unrecognizedOptions.map((option) => this.#clean(option))
        return { newestVersion: shownVersion(message.newestVersion), unrecognizedOptions }
      }
      case 'ParameterStatus':
        return { name: this.#clean(message.name), value: this.#clean(message.value) }
      case 'ReadyForQuery':
        return { status: message.status }
      case 'ErrorResponse':
      case 'NoticeResponse': {
        const report = readReport(message)
        const { severity, sqlstate, message: text } = report
        return { severity: this.#clean(severity), sqlstate: this.#clean(sqlstate), message: this.#clean(text) }
      }
      case 'NotificationResponse':
        return { processId: message.processId, channel: this.#clean(message.channel) }
      case 'CommandComplete':
        return { commandTag: this.#clean(message.commandTag) }
      case 'RowDescription':
        return { columns: message.columns.length }
      case 'SSLRequest':
      case 'GSSENCRequest':
      case 'Query':
      case 'Terminate':
      case 'CopyData':
      case 'CopyDone':
      case 'CopyFail':
      case 'CopyInResponse':
      case 'CopyOutResponse':
      case 'CopyBothResponse':
      case 'DataRow':
      case 'EmptyQueryResponse':
      case 'AuthenticationOk':
      case 'AuthenticationKerberosV5':
      case 'AuthenticationCleartextPassword':
      case 'AuthenticationMD5Password':
      case 'AuthenticationGSS':
      case 'AuthenticationGSSContinue':
      case 'AuthenticationSSPI':
      case 'AuthenticationSASLFinal':
        return NOTHING
    }
  }

  #clean(text: string): string {
    return printable(withhold(text, this.#secrets, this.#known))
  }
}

/** '3.2' and the like: major version in the upper, minor version in the lower 16 bits. */
function shownVersion(version: number): string {
  return `${version >>> 16}.${version & 0xffff}`
}

/** RFC 5802 section 5.1: 'r=' in both messages of a client, in the second one with what the server has added. */
function noncesOf(data: Uint8Array): readonly string[] {
  const [, nonce] = /,r=([^,]+)/.exec(`,${textOf(data)}`) ?? []
  return nonce === undefined ? [] : [nonce]
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data).toString('latin1')
}

/**
 * The parameters that say what is asked of a server in the StartupMessage, besides user and database.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS, #PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE.
 */
import type { ProtocolVersion } from '../protocol/startup.ts'
import { type Parameter, text, unchanged } from './parameter.ts'
import { unusable } from './unusable.ts'

export const SESSION_PARAMETERS = {
  client_encoding: text<'UTF8'>(
    {
      property: 'clientEncoding',
      anchor: '#LIBPQ-CONNECT-CLIENT-ENCODING',
      default: 'UTF8',
      meaning: "UTF8 in any of its spellings, or 'auto'; JavaScript's strings are sent as UTF-8.",
    },
    (name, encoding) => {
      // The server compares letters and digits only, in lower case (pg_char_to_encoding): utf-8 is UTF8 is Unicode.
      if (['utf8', 'unicode', 'auto'].includes(encoding.replace(/[^a-z0-9]/gi, '').toLowerCase())) return 'UTF8'
      throw unusable(name, "must be UTF8 or 'auto': every string is sent and read as UTF-8")
    },
  ),
  application_name: text(
    {
      property: 'applicationName',
      anchor: '#LIBPQ-CONNECT-APPLICATION-NAME',
      default: 'that of fallback_application_name',
      meaning: "Name of the application, for the server's log and pg_stat_activity.",
    },
    unchanged,
  ),
  fallback_application_name: text(
    {
      property: 'fallbackApplicationName',
      anchor: '#LIBPQ-CONNECT-FALLBACK-APPLICATION-NAME',
      default: 'none',
      meaning: 'Name of the application if application_name is not given.',
    },
    unchanged,
  ),
  options: text(
    {
      property: 'options',
      anchor: '#LIBPQ-CONNECT-OPTIONS',
      default: 'none',
      meaning: "Command-line options for the server, such as '-c geqo=off'.",
    },
    unchanged,
  ),
  min_protocol_version: text(
    {
      property: 'minProtocolVersion',
      anchor: '#LIBPQ-CONNECT-MIN-PROTOCOL-VERSION',
      default: '3.0',
      meaning: "Lowest protocol version to accept: 3.0, 3.2 or 'latest'.",
    },
    protocolVersion,
  ),
  max_protocol_version: text(
    {
      property: 'maxProtocolVersion',
      anchor: '#LIBPQ-CONNECT-MAX-PROTOCOL-VERSION',
      default: '3.0, or 3.2 if min_protocol_version is above 3.0',
      meaning:
        "Protocol version to ask for: 3.0, 3.2 or 'latest'. A server that does not know it offers another; some poolers refuse.",
    },
    protocolVersion,
  ),
} as const satisfies Readonly<Record<string, Parameter<unknown>>>

function protocolVersion(name: string, version: string): ProtocolVersion {
  if (version === '3.0' || version === '3.2') return version
  if (version === 'latest') return '3.2'
  // 3.1 was skipped because a pooler had used it by mistake; a server that knows 3.2 has never spoken it.
  if (version === '3.1') throw unusable(name, 'is 3.1, which is reserved and spoken by no server; give 3.0 or 3.2')
  throw unusable(name, "must be 3.0, 3.2 or 'latest'")
}

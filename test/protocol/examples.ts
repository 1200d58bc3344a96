/**
 * At least one example of every message, its bytes written from the manual (#PROTOCOL-MESSAGE-FORMATS) and not
 * by the encoder that they are to test. `cuts` says what a body is that ends too early: for each number of bytes
 * that are left, from none on, the field that is then named, or null where what is left is a message too.
 */
import * as authentication from '../../src/protocol/authentication.ts'
import * as backend from '../../src/protocol/backend.ts'
import * as frontend from '../../src/protocol/frontend.ts'
import type { MessageLayout, MessageOf } from '../../src/protocol/message.ts'
import * as startup from '../../src/protocol/startup.ts'
import { wire } from './wire.ts'

export interface Example<L extends MessageLayout = MessageLayout> {
  readonly layout: L
  readonly value: MessageOf<L>
  /** The whole message. */
  readonly bytes: Buffer
  /** What follows tag and length. */
  readonly body: Buffer
  readonly cuts: readonly (string | null)[]
}

/** Every message of the codec, in the order of its files. */
export const ALL_MESSAGES: readonly MessageLayout[] = [
  ...startup.STARTUP_MESSAGES,
  ...frontend.FRONTEND_MESSAGES,
  ...authentication.AUTHENTICATION_MESSAGES,
  ...backend.BACKEND_MESSAGES,
]

/** The examples of one message. There must be one. */
export function examplesOf(layout: MessageLayout): readonly Example[] {
  const found = EXAMPLES.filter((example) => example.layout === layout)
  if (found.length === 0) throw new Error(`there is no example of ${layout.name}`)
  return found
}

/** The name of an example in a test's title. */
export function titleOf({ layout, bytes }: Example): string {
  return `${layout.name} (${bytes.length} bytes)`
}

function example<L extends MessageLayout>(
  layout: L,
  value: Omit<MessageOf<L>, 'type'>,
  commented: string,
  ...cuts: readonly (readonly [count: number, field: string | null])[]
): Example {
  const bytes = wire(commented)
  return {
    layout,
    value: { type: layout.name, ...value } as MessageOf<MessageLayout>,
    bytes,
    body: bytes.subarray(layout.tag === null ? 4 : 5),
    cuts: cuts.flatMap(([count, field]) => Array<string | null>(count).fill(field)),
  }
}

const bytes = (...values: number[]) => new Uint8Array(values)

const STARTUP: readonly Example[] = [
  example(
    startup.StartupMessage,
    {
      protocolVersion: 196_608,
      parameters: [
        { name: 'user', value: 'alice' },
        { name: 'database', value: 'wire' },
      ],
    },
    `
    00 00 00 22                 # length 34
    00 03 00 00                 # 196608: version 3.0
    75 73 65 72 00              # user
    61 6c 69 63 65 00           # alice
    64 61 74 61 62 61 73 65 00  # database
    77 69 72 65 00              # wire
    00                          # end of the parameters
    `,
    [4, 'protocolVersion'],
    [1, 'parameters'],
    [4, 'parameters.0.name'],
    [6, 'parameters.0.value'],
    [1, 'parameters'],
    [8, 'parameters.1.name'],
    [5, 'parameters.1.value'],
    [1, 'parameters'],
  ),
  example(
    startup.StartupMessage,
    { protocolVersion: 196_610, parameters: [{ name: 'x', value: '' }] },
    `
    00 00 00 0c  # length 12
    00 03 00 02  # version 3.2
    78 00        # x
    00           # an empty value
    00           # end of the parameters
    `,
    [4, 'protocolVersion'],
    [1, 'parameters'],
    [1, 'parameters.0.name'],
    [1, 'parameters.0.value'],
    [1, 'parameters'],
  ),
  example(
    startup.SSLRequest,
    {},
    `
    00 00 00 08  # length 8
    04 d2 16 2f  # 80877103: 1234 and 5679
    `,
    [4, 'code'],
  ),
  example(
    startup.GSSENCRequest,
    {},
    `
    00 00 00 08  # length 8
    04 d2 16 30  # 80877104: 1234 and 5680
    `,
    [4, 'code'],
  ),
  example(
    startup.CancelRequest,
    { processId: 12_345, secretKey: bytes(0xde, 0xad, 0xbe, 0xef) },
    `
    00 00 00 10  # length 16
    04 d2 16 2e  # 80877102: 1234 and 5678
    00 00 30 39  # process 12345
    de ad be ef  # the secret key, four bytes under 3.0
    `,
    [4, 'code'],
    [4, 'processId'],
    [4, null],
  ),
]

const FRONTEND: readonly Example[] = [
  example(
    frontend.PasswordMessage,
    { password: 'secret' },
    `
    70                    # 'p'
    00 00 00 0b           # length 11
    73 65 63 72 65 74 00  # secret
    `,
    [7, 'password'],
  ),
  example(
    frontend.SASLInitialResponse,
    { mechanism: 'SCRAM-SHA-256', data: bytes(0x6e, 0x2c, 0x2c) },
    `
    70                                         # 'p'
    00 00 00 19                                # length 25
    53 43 52 41 4d 2d 53 48 41 2d 32 35 36 00  # SCRAM-SHA-256
    00 00 00 03                                # three bytes follow
    6e 2c 2c                                   # n,,
    `,
    [14, 'mechanism'],
    [7, 'data'],
  ),
  example(
    frontend.SASLInitialResponse,
    { mechanism: 'ANON', data: null },
    `
    70              # 'p'
    00 00 00 0d     # length 13
    41 4e 4f 4e 00  # ANON
    ff ff ff ff     # -1: no initial response
    `,
    [5, 'mechanism'],
    [4, 'data'],
  ),
  example(
    frontend.SASLResponse,
    { data: bytes(0x63, 0x3d, 0x62, 0x69, 0x77, 0x73) },
    `
    70                 # 'p'
    00 00 00 0a        # length 10
    63 3d 62 69 77 73  # c=biws
    `,
    [6, null],
  ),
  example(
    frontend.Query,
    { query: 'select 1' },
    `
    51                          # 'Q'
    00 00 00 0d                 # length 13
    73 65 6c 65 63 74 20 31 00  # select 1
    `,
    [9, 'query'],
  ),
  example(
    frontend.Query,
    { query: '\u00e9\u20ac\u{1f600}' },
    `
    51           # 'Q'
    00 00 00 0e  # length 14: bytes, not characters
    c3 a9        # U+00E9
    e2 82 ac     # U+20AC
    f0 9f 98 80  # U+1F600
    00
    `,
    [10, 'query'],
  ),
  example(
    frontend.CopyData,
    { data: bytes(0x31, 0x0a) },
    `
    64           # 'd'
    00 00 00 06  # length 6
    31 0a        # 1 and a line feed
    `,
    [2, null],
  ),
  example(
    frontend.CopyDone,
    {},
    `
    63           # 'c'
    00 00 00 04  # length 4
    `,
  ),
  example(
    frontend.CopyFail,
    { reason: 'no' },
    `
    66           # 'f'
    00 00 00 07  # length 7
    6e 6f 00     # no
    `,
    [3, 'reason'],
  ),
  example(
    frontend.Terminate,
    {},
    `
    58           # 'X'
    00 00 00 04  # length 4
    `,
  ),
]

const AUTHENTICATION: readonly Example[] = [
  example(
    authentication.AuthenticationOk,
    {},
    `
    52           # 'R'
    00 00 00 08  # length 8
    00 00 00 00  # 0
    `,
    [4, 'code'],
  ),
  example(
    authentication.AuthenticationKerberosV5,
    {},
    `
    52           # 'R'
    00 00 00 08  # length 8
    00 00 00 02  # 2
    `,
    [4, 'code'],
  ),
  example(
    authentication.AuthenticationCleartextPassword,
    {},
    `
    52           # 'R'
    00 00 00 08  # length 8
    00 00 00 03  # 3
    `,
    [4, 'code'],
  ),
  example(
    authentication.AuthenticationMD5Password,
    { salt: bytes(0x01, 0x80, 0xff, 0x00) },
    `
    52           # 'R'
    00 00 00 0c  # length 12
    00 00 00 05  # 5
    01 80 ff 00  # salt
    `,
    [4, 'code'],
    [4, 'salt'],
  ),
  example(
    authentication.AuthenticationGSS,
    {},
    `
    52           # 'R'
    00 00 00 08  # length 8
    00 00 00 07  # 7
    `,
    [4, 'code'],
  ),
  example(
    authentication.AuthenticationGSSContinue,
    { data: bytes(0x60, 0x06) },
    `
    52           # 'R'
    00 00 00 0a  # length 10
    00 00 00 08  # 8
    60 06        # data
    `,
    [4, 'code'],
    [2, null],
  ),
  example(
    authentication.AuthenticationSSPI,
    {},
    `
    52           # 'R'
    00 00 00 08  # length 8
    00 00 00 09  # 9
    `,
    [4, 'code'],
  ),
  example(
    authentication.AuthenticationSASL,
    { mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] },
    `
    52                                                        # 'R'
    00 00 00 2a                                               # length 42
    00 00 00 0a                                               # 10
    53 43 52 41 4d 2d 53 48 41 2d 32 35 36 2d 50 4c 55 53 00  # SCRAM-SHA-256-PLUS
    53 43 52 41 4d 2d 53 48 41 2d 32 35 36 00                 # SCRAM-SHA-256
    00                                                        # end of the list
    `,
    [4, 'code'],
    [1, 'mechanisms'],
    [18, 'mechanisms.0'],
    [1, 'mechanisms'],
    [13, 'mechanisms.1'],
    [1, 'mechanisms'],
  ),
  example(
    authentication.AuthenticationSASLContinue,
    { data: bytes(0x72, 0x3d, 0x61, 0x62) },
    `
    52           # 'R'
    00 00 00 0c  # length 12
    00 00 00 0b  # 11
    72 3d 61 62  # r=ab
    `,
    [4, 'code'],
    [4, null],
  ),
  example(
    authentication.AuthenticationSASLFinal,
    { data: bytes(0x76, 0x3d, 0x41, 0x41, 0x3d, 0x3d) },
    `
    52                 # 'R'
    00 00 00 0e        # length 14
    00 00 00 0c        # 12
    76 3d 41 41 3d 3d  # v=AA==
    `,
    [4, 'code'],
    [6, null],
  ),
]

const BACKEND: readonly Example[] = [
  example(
    backend.BackendKeyData,
    { processId: 12_345, secretKey: bytes(0xde, 0xad, 0xbe, 0xef) },
    `
    4b           # 'K'
    00 00 00 0c  # length 12
    00 00 30 39  # process 12345
    de ad be ef  # the secret key, four bytes under 3.0
    `,
    [4, 'processId'],
    [4, null],
  ),
  example(
    backend.BackendKeyData,
    { processId: -1, secretKey: bytes(0, 1, 2, 3, 4, 5, 6, 7) },
    `
    4b                       # 'K'
    00 00 00 10              # length 16
    ff ff ff ff              # process -1: a pooler may say so
    00 01 02 03 04 05 06 07  # the secret key, of any length under 3.2
    `,
    [4, 'processId'],
    [8, null],
  ),
  example(
    backend.ParameterStatus,
    { name: 'TimeZone', value: 'UTC' },
    `
    53                          # 'S'
    00 00 00 11                 # length 17
    54 69 6d 65 5a 6f 6e 65 00  # TimeZone
    55 54 43 00                 # UTC
    `,
    [9, 'name'],
    [4, 'value'],
  ),
  example(
    backend.ReadyForQuery,
    { status: 'I' },
    `
    5a           # 'Z'
    00 00 00 05  # length 5
    49           # 'I': idle
    `,
    [1, 'status'],
  ),
  example(backend.ReadyForQuery, { status: 'T' }, '5a 00 00 00 05 54 # in a transaction', [1, 'status']),
  example(backend.ReadyForQuery, { status: 'E' }, '5a 00 00 00 05 45 # in a failed one', [1, 'status']),
  example(
    backend.NegotiateProtocolVersion,
    { newestVersion: 196_608, unrecognizedOptions: ['_pq_.x'] },
    `
    76                    # 'v'
    00 00 00 13           # length 19
    00 03 00 00           # newest version: 3.0
    00 00 00 01           # one option was not recognized
    5f 70 71 5f 2e 78 00  # _pq_.x
    `,
    [4, 'newestVersion'],
    [4, 'unrecognizedOptions'],
    [7, 'unrecognizedOptions.0'],
  ),
  example(
    backend.ErrorResponse,
    {
      fields: [
        { code: 'S', value: 'FATAL' },
        { code: 'V', value: 'FATAL' },
        { code: 'C', value: '28P01' },
        { code: 'M', value: 'no' },
      ],
    },
    `
    45                    # 'E'
    00 00 00 1e           # length 30
    53 46 41 54 41 4c 00  # 'S' FATAL
    56 46 41 54 41 4c 00  # 'V' FATAL
    43 32 38 50 30 31 00  # 'C' 28P01
    4d 6e 6f 00           # 'M' no
    00                    # end of the fields
    `,
    [1, 'fields'],
    [6, 'fields.0.value'],
    [1, 'fields'],
    [6, 'fields.1.value'],
    [1, 'fields'],
    [6, 'fields.2.value'],
    [1, 'fields'],
    [3, 'fields.3.value'],
    [1, 'fields'],
  ),
  example(
    backend.NoticeResponse,
    { fields: [{ code: 'M', value: 'hi' }] },
    `
    4e           # 'N'
    00 00 00 09  # length 9
    4d 68 69 00  # 'M' hi
    00           # end of the fields
    `,
    [1, 'fields'],
    [3, 'fields.0.value'],
    [1, 'fields'],
  ),
  example(
    backend.NotificationResponse,
    { processId: 7, channel: 'jobs', payload: 'go' },
    `
    41              # 'A'
    00 00 00 10     # length 16
    00 00 00 07     # process 7
    6a 6f 62 73 00  # jobs
    67 6f 00        # go
    `,
    [4, 'processId'],
    [5, 'channel'],
    [3, 'payload'],
  ),
  example(
    backend.RowDescription,
    {
      columns: [
        {
          name: 'id',
          tableOid: 16_384,
          attributeNumber: 1,
          typeOid: 23,
          typeSize: 4,
          typeModifier: -1,
          format: 0,
        },
        {
          name: 'n',
          tableOid: 0,
          attributeNumber: 0,
          typeOid: 25,
          typeSize: -1,
          typeModifier: -1,
          format: 1,
        },
      ],
    },
    `
    54           # 'T'
    00 00 00 2f  # length 47
    00 02        # two columns
    69 64 00     # id
    00 00 40 00  # table 16384
    00 01        # its first attribute
    00 00 00 17  # type 23, int4
    00 04        # of four bytes
    ff ff ff ff  # type modifier -1
    00 00        # text
    6e 00        # n
    00 00 00 00  # no table
    00 00        # no attribute
    00 00 00 19  # type 25, text
    ff ff        # -1: of any length
    ff ff ff ff  # type modifier -1
    00 01        # binary
    `,
    [2, 'columns'],
    [3, 'columns.0.name'],
    [4, 'columns.0.tableOid'],
    [2, 'columns.0.attributeNumber'],
    [4, 'columns.0.typeOid'],
    [2, 'columns.0.typeSize'],
    [4, 'columns.0.typeModifier'],
    [2, 'columns.0.format'],
    [2, 'columns.1.name'],
    [4, 'columns.1.tableOid'],
    [2, 'columns.1.attributeNumber'],
    [4, 'columns.1.typeOid'],
    [2, 'columns.1.typeSize'],
    [4, 'columns.1.typeModifier'],
    [2, 'columns.1.format'],
  ),
  example(
    backend.DataRow,
    { values: [bytes(0x34, 0x32), null, bytes()] },
    `
    44           # 'D'
    00 00 00 14  # length 20
    00 03        # three values
    00 00 00 02  # two bytes
    34 32        # 42
    ff ff ff ff  # -1: NULL
    00 00 00 00  # nothing, which is not NULL
    `,
    [2, 'values'],
    [6, 'values.0'],
    [4, 'values.1'],
    [4, 'values.2'],
  ),
  example(
    backend.CommandComplete,
    { commandTag: 'SELECT 1' },
    `
    43                          # 'C'
    00 00 00 0d                 # length 13
    53 45 4c 45 43 54 20 31 00  # SELECT 1
    `,
    [9, 'commandTag'],
  ),
  example(
    backend.EmptyQueryResponse,
    {},
    `
    49           # 'I'
    00 00 00 04  # length 4
    `,
  ),
  example(
    backend.CopyInResponse,
    { format: 0, columnFormats: [0, 0] },
    `
    47           # 'G'
    00 00 00 0b  # length 11
    00           # text
    00 02        # two columns
    00 00        # text
    00 00        # text
    `,
    [1, 'format'],
    [2, 'columnFormats'],
    [2, 'columnFormats.0'],
    [2, 'columnFormats.1'],
  ),
  example(
    backend.CopyOutResponse,
    { format: 1, columnFormats: [1] },
    `
    48           # 'H'
    00 00 00 09  # length 9
    01           # binary
    00 01        # one column
    00 01        # binary
    `,
    [1, 'format'],
    [2, 'columnFormats'],
    [2, 'columnFormats.0'],
  ),
  example(
    backend.CopyBothResponse,
    { format: 0, columnFormats: [] },
    `
    57           # 'W'
    00 00 00 07  # length 7
    00           # text
    00 00        # no columns
    `,
    [1, 'format'],
    [2, 'columnFormats'],
  ),
  example(
    backend.CopyData,
    { data: bytes(0x77) },
    `
    64           # 'd'
    00 00 00 05  # length 5
    77           # w
    `,
    [1, null],
  ),
  example(
    backend.CopyDone,
    {},
    `
    63           # 'c'
    00 00 00 04  # length 4
    `,
  ),
]

const EXAMPLES: readonly Example[] = [...STARTUP, ...FRONTEND, ...AUTHENTICATION, ...BACKEND]

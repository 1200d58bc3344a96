/** One lawful example of every message that a server has. */
import type { BackendMessage } from '../protocol/backend.ts'

export const EXAMPLES: readonly BackendMessage[] = [
  { type: 'AuthenticationOk' },
  { type: 'AuthenticationKerberosV5' },
  { type: 'AuthenticationCleartextPassword' },
  { type: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) },
  { type: 'AuthenticationGSS' },
  { type: 'AuthenticationGSSContinue', data: Buffer.from('token') },
  { type: 'AuthenticationSSPI' },
  { type: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256'] },
  { type: 'AuthenticationSASLContinue', data: Buffer.from('r=abc,s=QUJD,i=4096') },
  { type: 'AuthenticationSASLFinal', data: Buffer.from('v=QUJD') },
  { type: 'BackendKeyData', processId: 4711, secretKey: Buffer.from([1, 2, 3, 4]) },
  { type: 'ParameterStatus', name: 'server_version', value: '18.4' },
  { type: 'ReadyForQuery', status: 'I' },
  { type: 'NegotiateProtocolVersion', newestVersion: 0x0003_0000, unrecognizedOptions: [] },
  { type: 'ErrorResponse', fields: [{ code: 'M', value: 'no' }] },
  { type: 'NoticeResponse', fields: [{ code: 'M', value: 'mind the gap' }] },
  { type: 'NotificationResponse', processId: 4711, channel: 'jobs', payload: '' },
  {
    type: 'RowDescription',
    columns: [{ name: 'n', tableOid: 0, attributeNumber: 0, typeOid: 23, typeSize: 4, typeModifier: -1, format: 0 }],
  },
  { type: 'DataRow', values: [Buffer.from('1')] },
  { type: 'CommandComplete', commandTag: 'SELECT 1' },
  { type: 'EmptyQueryResponse' },
  { type: 'CopyInResponse', format: 0, columnFormats: [0] },
  { type: 'CopyOutResponse', format: 0, columnFormats: [0] },
  { type: 'CopyBothResponse', format: 0, columnFormats: [0] },
  { type: 'CopyData', data: Buffer.from('1\n') },
  { type: 'CopyDone' },
]

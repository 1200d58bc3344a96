/**
 * The messages that this library never sends and never asks for: the extended query and the function call. It has no use for
 * them, but whoever decodes what other clients said meets them. Described as all others are; nothing but the command line
 * reads them.
 *
 * Manual: #PROTOCOL-FLOW-EXT-QUERY, #PROTOCOL-FLOW-FUNCTION-CALL.
 */
import { character, counted16, int16, int32, rest, sized, string } from '../protocol/layout.ts'
import { message } from '../protocol/message.ts'

/** Shares its tag with the other answers to an authentication request. */
export const GSSResponse = message('GSSResponse', 'p', { data: rest })

export const EXTENDED_FRONTEND_MESSAGES = [
  message('Parse', 'P', { statement: string, query: string, parameterTypes: counted16(int32) }),
  message('Bind', 'B', {
    portal: string,
    statement: string,
    parameterFormats: counted16(int16),
    parameters: counted16(sized),
    resultFormats: counted16(int16),
  }),
  message('Describe', 'D', { kind: character('S', 'P'), name: string }),
  message('Execute', 'E', { portal: string, rowsMax: int32 }),
  message('Close', 'C', { kind: character('S', 'P'), name: string }),
  message('Flush', 'H', {}),
  message('Sync', 'S', {}),
  message('FunctionCall', 'F', {
    functionOid: int32,
    argumentFormats: counted16(int16),
    arguments: counted16(sized),
    resultFormat: int16,
  }),
] as const

export const EXTENDED_BACKEND_MESSAGES = [
  message('ParseComplete', '1', {}),
  message('BindComplete', '2', {}),
  message('CloseComplete', '3', {}),
  message('NoData', 'n', {}),
  message('ParameterDescription', 't', { parameterTypes: counted16(int32) }),
  message('PortalSuspended', 's', {}),
  message('FunctionCallResponse', 'V', { result: sized }),
] as const

/** Text travels as UTF-8, and only as UTF-8: what else a server might send would be read as something that it is not. */
import { Fault } from '../protocol/failure.ts'
import { printable } from '../protocol/printable.ts'

/**
 * Look at a ParameterStatus. Throws Fault 'incompatible' if the server says that it now sends text in another encoding,
 * after `set client_encoding` for instance: from there on values would be corrupted silently.
 */
export function checkEncoding(name: string, value: string): void {
  if (name !== 'client_encoding' || /^(utf-?8|unicode)$/i.test(value)) return
  throw new Fault({ kind: 'incompatible', what: 'client_encoding', offered: [printable(value)], supported: ['UTF8'] })
}

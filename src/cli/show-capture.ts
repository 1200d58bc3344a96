/** A capture on the screen, in any format: for everything that has one already. */
import type { Capture, CaptureEntry } from './capture.ts'
import { type Io, screenOf } from './command.ts'
import { type FormatChoice, openFormat } from './formats.ts'
import { Redactor } from './redact.ts'

/** `before` is waited for before each entry: to show it in time. */
export async function showCapture(
  io: Io,
  { header, entries }: Capture,
  { name, libpq, showSecrets, hasTimes }: FormatChoice,
  before: (entry: CaptureEntry) => Promise<void> = async () => {},
): Promise<void> {
  const redactor = new Redactor()
  const secrets = header.secrets === 'shown' && showSecrets ? 'shown' : 'redacted'
  const format = openFormat(name, { header: { ...header, secrets }, screen: screenOf(io), libpq, hasTimes })
  for (const entry of entries) {
    await before(entry)
    print(io, format.entry(showSecrets ? entry : redactor.redact(entry)))
  }
  print(io, format.finish())
}

function print({ stdout }: Io, lines: readonly string[]): void {
  for (const line of lines) stdout.write(`${line}\n`)
}

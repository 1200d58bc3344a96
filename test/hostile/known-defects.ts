/** Attacks that the library does not yet answer as the catalogue demands, each with what it does instead. */
export const KNOWN_DEFECTS: ReadonlyMap<string, string> = new Map([
  ['order/second-backend-key-data', 'the second key replaces the first, and the connect goes on'],
  ['time/flood-of-cancel-keys', 'BackendKeyData without end is taken until the deadline'],
  [
    'startup/client-encoding-escape',
    "control characters of the value stand in the error's message and failure.offered",
  ],
  ['startup/error-field-named-escape', 'the letter is a key of failure.fields as it came'],
  ['tls/certificate-control-characters-alone-by-name', "the certificate's common name stands in the error as it came"],
])

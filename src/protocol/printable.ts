/**
 * CVE-2024-10977's lesson: what a stranger wrote must not write to our user's terminal. Applied to every text of a server
 * that can come to stand in an error.
 */

/**
 * The text without control characters and without those that turn the direction in which a line is read (U+202A to U+202E,
 * U+2066 to U+2069): U+FFFD stands in their place. Line ends and tabs are harmless.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

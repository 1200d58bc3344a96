/** Bytes written by hand: pairs of hexadecimal digits; a `#` begins a comment that ends with its line. */
export function wire(commented: string): Buffer {
  const digits = commented.replace(/#.*$/gm, '').replace(/\s+/g, '')
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`not hexadecimal: ${digits}`)
  return Buffer.from(digits, 'hex')
}

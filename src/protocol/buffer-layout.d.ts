/** The part of buffer-layout 1.2 that layout.ts builds on; the package itself has no types. */
declare module 'buffer-layout' {
  export class Layout {
    constructor(span: number, property?: string)
    readonly span: number
    readonly property: string | undefined
    getSpan(bytes?: Buffer, offset?: number): number
    decode(bytes: Buffer, offset?: number): unknown
    encode(value: unknown, into: Buffer, offset?: number): number
  }
  export class ExternalLayout extends Layout {}
  export class IntBE extends Layout {}
  export class CString extends Layout {
    constructor(property?: string)
  }
  export class Blob extends Layout {
    constructor(length: number | ExternalLayout, property?: string)
  }
  export class Structure extends Layout {
    constructor(fields: readonly Layout[], property?: string)
    readonly fields: readonly Layout[]
  }
  export function greedy(elementSpan?: number): ExternalLayout
}

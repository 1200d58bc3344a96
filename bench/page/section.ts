/** A part of the page, and the plots that it shows by file name. */
export interface Section {
  readonly text: string
  readonly plots: Readonly<Record<string, string>>
}

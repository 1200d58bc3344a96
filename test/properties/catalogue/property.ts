/** A property as data: docs/properties.md lists them, catalogue.test.ts holds the list to the tests and the tests to the list. */
export interface Property {
  /** Stable: the area, a hyphen, two digits. The test's name begins with it. */
  readonly id: string
  readonly area: string
  /** What holds, as a sentence. */
  readonly statement: string
  /** The file that states it as a test, from the root of the project. */
  readonly test: string
}

/** Every property that is stated and tested, area by area. docs/properties.md is made from it. */
import { CODEC } from './catalogue/codec.ts'
import { DIFFERENTIAL } from './catalogue/differential.ts'
import { LIVE } from './catalogue/live.ts'
import { MACHINE } from './catalogue/machine.ts'
import { MODEL } from './catalogue/model.ts'
import type { Property } from './catalogue/property.ts'
import { SCRAM } from './catalogue/scram.ts'
import { SIMULATION } from './catalogue/simulation.ts'
import { TIME } from './catalogue/time.ts'

/** What each area is about, in the order in which they are listed. */
export const AREAS: Readonly<Record<string, string>> = {
  codec: 'Bytes become messages, and messages bytes',
  scram: 'SCRAM, SASLprep, channel binding, MD5',
  machine: 'The tables of handshake and session',
  time: 'One deadline, whatever the schedule',
  simulation: 'The real connect() in a simulated world',
  model: 'A reference model, written from the manual alone',
  differential: 'Other clients, asked the same',
  live: 'Real servers behind a proxy that commits faults',
}

export const PROPERTIES: readonly Property[] = [
  ...CODEC,
  ...SCRAM,
  ...MACHINE,
  ...TIME,
  ...SIMULATION,
  ...MODEL,
  ...DIFFERENTIAL,
  ...LIVE,
]

/**
 * SASLprep (RFC 4013) as PostgreSQL does it, which is not quite as the RFC has it. Client and server must derive the
 * same bytes from a password, so what counts is pg_saslprep in src/common/saslprep.c and its caller scram_init in
 * src/interfaces/libpq/fe-auth-scram.c (the same from PostgreSQL 10 to 18):
 *
 * - pure ASCII is taken as it is, control characters included;
 * - a password that SASLprep refuses is used as it is, and so is one of which the mapping leaves nothing;
 * - what is prohibited, unassigned in Unicode 3.2 or wrongly bidirectional is looked for *before* the normalization,
 *   where the RFC, and with it @mongodb-js/saslprep, looks afterwards. U+1F130 (a squared A, younger than Unicode 3.2)
 *   is thus used raw and does not become 'A'; Hebrew around a trade mark sign is accepted, although 'TM' is Latin.
 */
import { saslprep } from '@mongodb-js/saslprep'
import { COMPATIBILITY_LEFT_TO_RIGHT, COMPATIBILITY_NEUTRAL, COMPATIBILITY_RIGHT_TO_LEFT } from './compatibility.ts'

/** The password as PostgreSQL hashes it. Never throws: what SASLprep refuses comes back unchanged. */
export function normalizePassword(password: string): string {
  // A shortcut, as in PostgreSQL: the steps below would leave pure ASCII alone, too.
  if (ASCII_ONLY.test(password)) return password
  // U+200B stands in both tables of RFC 3454. PostgreSQL asks for spaces first.
  const mapped = password.replace(NON_ASCII_SPACE, ' ').replace(MAPPED_TO_NOTHING, '')
  if (mapped === '' || !isPermitted(mapped)) return password
  return mapped.normalize('NFKC')
}

const ASCII_ONLY = /^\p{ASCII}*$/u
/** RFC 3454 table C.1.2. */
const NON_ASCII_SPACE = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g
/** RFC 3454 table B.1. */
const MAPPED_TO_NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/g

/**
 * Judges the characters before normalization with a library that judges them afterwards, by giving it a text that
 * normalization leaves alone: what it would alter is replaced by a stand-in, and a hyphen, which composes with nothing
 * and has no direction, keeps neighbours from composing. Only the first and the last character have a place that
 * matters, so the rest is a set: a long password makes no long text.
 */
function isPermitted(mapped: string): boolean {
  const characters = Array.from(mapped, standIn)
  const text = [characters[0], ...new Set(characters), characters.at(-1)].join(NEUTRAL)
  try {
    saslprep(text)
    return true
  } catch {
    return false
  }
}

const NEUTRAL = '-'
const LEFT_TO_RIGHT = 'a'
const RIGHT_TO_LEFT = '\u05d0'
const PROHIBITED = '\u0007'

/** A character of the same class that NFKC leaves alone. */
function standIn(character: string): string {
  if (character.normalize('NFKC') === character) return character
  if (COMPATIBILITY_LEFT_TO_RIGHT.test(character)) return LEFT_TO_RIGHT
  if (COMPATIBILITY_RIGHT_TO_LEFT.test(character)) return RIGHT_TO_LEFT
  if (COMPATIBILITY_NEUTRAL.test(character)) return NEUTRAL
  // What is left is prohibited by itself (U+0340, U+0341) or was not assigned in Unicode 3.2.
  return PROHIBITED
}

/**
 * The direction of those characters that normalization form KC alters, by tables D.1 and D.2 of RFC 3454. Only
 * `saslprep.ts` needs them, to judge such a character before it is altered; all others it leaves to the library.
 *
 * The ranges run on over characters that NFKC leaves alone, which nobody asks about, but never over a code point that
 * is refused: one that was unassigned in Unicode 3.2 may since have become a compatibility character, or may yet.
 */

/** Table D.2, "L". */
export const COMPATIBILITY_LEFT_TO_RIGHT = ranges(`
  aa b5 ba 132-1f3 2b0-2b8 2e0-2e4 37a 3d0-3f5 587 958-95f 9dc-9dd 9df a33 a36 a59-a5b a5e b5c-b5d e33 eb3 edc-edd
  f0c-f43 f4d-f69 1e9a-1e9b 1f71-1f7d 1fbb 1fbe 1fc9-1fcb 1fd3 1fdb 1fe3-1feb 1ff9-1ffb 2071 207f 2102 2107
  210a-2115 2119-211d 2124-2139 213d-213f 2145-2149 2160-217f 249c-24e9 3038-303a 309f-30ff 3131-318e 3192-319f
  3200-321c 3220-3243 3260-327b 3280-32b0 32c0-32cb 32d0-32fe 3300-3376 337b-33dd 33e0-33fe f900-fa2d fa30-fa6a
  fb00-fb06 fb13-fb17 ff21-ff3a ff41-ff5a ff66-ffbe ffc2-ffc7 ffca-ffcf ffd2-ffd7 ffda-ffdc 1d15e-1d164 1d1bb-1d1c0
  1d400-1d454 1d456-1d49c 1d49e-1d49f 1d4a2 1d4a5-1d4a6 1d4a9-1d4ac 1d4ae-1d4b9 1d4bb 1d4bd-1d4c0 1d4c2-1d4c3
  1d4c5-1d505 1d507-1d50a 1d50d-1d514 1d516-1d51c 1d51e-1d539 1d53b-1d53e 1d540-1d544 1d546 1d54a-1d550
  1d552-1d6a3 1d6a8-1d7c9 2f800-2fa1d
`)

/** Table D.1, "R" and "AL". */
export const COMPATIBILITY_RIGHT_TO_LEFT = ranges(`
  675-678 fb1d-fb28 fb2a-fb36 fb38-fb3c fb3e fb40-fb41 fb43-fb44 fb46-fbb1 fbd3-fd3d fd50-fd8f fd92-fdc7 fdf0-fdfc
  fe70-fe74 fe76-fefc
`)

/** In neither table, and lawful. */
export const COMPATIBILITY_NEUTRAL = ranges(`
  a8 af-b4 b8-b9 bc-be 2d8-2dd 343-344 374 37e 384-387 f73-f81 f93 f9d-fb9 1fbd 1fbf-1fc1 1fcd-1fcf 1fdd-1fdf
  1fed-1fef 1ffd-1ffe 2011-2026 2033-2049 2057 2070 2074-207e 2080-208e 20a8 2100-2101 2103-2106 2109 2116
  2120-2122 2140 2153-215f 222c-232a 2460-249b 24ea 2a0c-2adc 2e9f-2ef3 2f00-2fd5 3036 309b-309c 3251-325f
  32b1-32bf fb29 fe30-fe44 fe49-fe52 fe54-fe66 fe68-fe6b ff01-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffe6 ffe8-ffee
  1d7ce-1d7ff
`)

function ranges(hexadecimal: string): RegExp {
  const members = hexadecimal.replace(/[0-9a-f]+/g, '\\u{$&}')
  return new RegExp(`^[${members.replace(/\s/g, '')}]$`, 'u')
}

/** Properties of the area codec: bytes become messages, and messages bytes. */
import type { Property } from './property.ts'

const test = 'test/properties/codec.test.ts'

export const CODEC: readonly Property[] = [
  {
    id: 'codec-01',
    area: 'codec',
    test,
    statement: 'Every message of a server that is encoded is decoded to the same value.',
  },
  {
    id: 'codec-02',
    area: 'codec',
    test,
    statement:
      'Every message of a client with a tag is decoded, as a server does, to the same value, and its length counts itself and not its tag.',
  },
  {
    id: 'codec-03',
    area: 'codec',
    test,
    statement:
      'Every first packet is decoded to the same value; StartupMessage and the three requests are never taken for one another.',
  },
  {
    id: 'codec-04',
    area: 'codec',
    test,
    statement:
      'Canonical form: whatever body is accepted, and is UTF-8, is encoded to exactly the bytes that it was read from.',
  },
  {
    id: 'codec-05',
    area: 'codec',
    test,
    statement: 'Segmentation: any way to cut a stream gives the same messages, and nothing is left over.',
  },
  {
    id: 'codec-06',
    area: 'codec',
    test,
    statement: 'Segmentation: a broken stream gives the same messages and the same failure however it is cut.',
  },
  {
    id: 'codec-07',
    area: 'codec',
    test,
    statement:
      'Totality: any bytes from a server become messages, a wait for more, or a failure of kind malformed or limit; nothing else is thrown, and the work is bounded by the bytes.',
  },
  { id: 'codec-08', area: 'codec', test, statement: 'Messages before a broken one are read as if it were not there.' },
  {
    id: 'codec-09',
    area: 'codec',
    test,
    statement: 'A byte with which no message begins is refused when it comes, before any length is waited for.',
  },
  {
    id: 'codec-10',
    area: 'codec',
    test,
    statement: 'No byte is lost or counted twice: frames handed out and bytes pending are all that was received.',
  },
  {
    id: 'codec-11',
    area: 'codec',
    test,
    statement: 'Totality: any first packet of a client is read, or refused as malformed within its bytes.',
  },
  {
    id: 'codec-12',
    area: 'codec',
    test,
    statement: 'Totality: any message of a client is read, or refused as malformed within its bytes.',
  },
  {
    id: 'codec-13',
    area: 'codec',
    test,
    statement: 'Locality: a refusal names the message, and an offset within its body.',
  },
  {
    id: 'codec-14',
    area: 'codec',
    test,
    statement:
      'Locality: if one byte of a lawful message is changed and it is refused, the offset is not before the field that the byte belongs to.',
  },
  {
    id: 'codec-15',
    area: 'codec',
    test,
    statement:
      'Memory: a length that promises up to a gigabyte allocates nothing; what is allocated stays below six times the bytes received.',
  },
  {
    id: 'codec-16',
    area: 'codec',
    test,
    statement:
      'Memory: a count that promises more items than there are bytes is refused after work that is bounded by the bytes.',
  },
  {
    id: 'codec-17',
    area: 'codec',
    test,
    statement: 'No aliasing: a decoded message does not change when the memory of its chunk is overwritten.',
  },
  {
    id: 'codec-18',
    area: 'codec',
    test,
    statement: 'The reader writes neither into a chunk that it was given nor into the memory around it.',
  },
  {
    id: 'codec-19',
    area: 'codec',
    test,
    statement:
      'The encoder throws RangeError, naming the field, for every number that would wrap, in every integer of every message.',
  },
  { id: 'codec-20', area: 'codec', test, statement: 'The encoder refuses a NUL in every string of every message.' },
  {
    id: 'codec-21',
    area: 'codec',
    test,
    statement:
      'The encoder refuses every value of a wrong type in every field of every message, and its error shows nothing of the value.',
  },
  {
    id: 'codec-22',
    area: 'codec',
    test,
    statement: 'A StartupMessage of more than 10,000 bytes is refused, and one of 10,000 is not.',
  },
  {
    id: 'codec-23',
    area: 'codec',
    test,
    statement: 'Start-up parameters are found in the same order by a reader that knows only NUL-ended strings.',
  },
  {
    id: 'codec-24',
    area: 'codec',
    test,
    statement: 'The annotation covers every byte of every message exactly once, in order.',
  },
  {
    id: 'codec-25',
    area: 'codec',
    test,
    statement:
      'The hand-written reader of DataRow agrees with its description, on values and on the place of every refusal.',
  },
  {
    id: 'codec-26',
    area: 'codec',
    test,
    statement:
      'The answer to SSLRequest is one byte, S or N, or the beginning of an error; anything else, and anything behind it, is misbehaviour.',
  },
  {
    id: 'codec-27',
    area: 'codec',
    test,
    statement:
      'No text of a failure, whatever bytes led to it, has a control character or one that changes the direction of a line.',
  },
  {
    id: 'codec-28',
    area: 'codec',
    test,
    statement:
      'No text of an ErrorResponse or NoticeResponse reaches the caller with a control character other than line ends and tabs.',
  },
  {
    id: 'codec-29',
    area: 'codec',
    test,
    statement:
      'The bounds of a length are exact for every tag, four below and the limit above, before and after ReadyForQuery, and are known when it has come.',
  },
]

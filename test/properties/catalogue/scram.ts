/** Properties of the area scram: SCRAM-SHA-256, SASLprep, channel binding, MD5. */
import type { Property } from './property.ts'

const test = 'test/properties/scram.test.ts'

export const SCRAM: readonly Property[] = [
  {
    id: 'scram-01',
    area: 'scram',
    test,
    statement:
      'Completeness: client-first-message and client-final-message are byte for byte those of the RFC, and the honest signature is believed.',
  },
  {
    id: 'scram-02',
    area: 'scram',
    test,
    statement: 'Completeness: a server that holds only StoredKey and ServerKey lets us in, and is believed.',
  },
  {
    id: 'scram-03',
    area: 'scram',
    test,
    statement:
      'The signature is checked over the bytes that were received: optional extensions are accepted, and are covered.',
  },
  {
    id: 'scram-04',
    area: 'scram',
    test,
    statement: 'ClientKey and ServerKey that were brought along give the same proof as the password they come from.',
  },
  {
    id: 'scram-05',
    area: 'scram',
    test,
    statement:
      'A whole handshake with keys in place of a password ends in the same session, having sent the same messages.',
  },
  {
    id: 'scram-06',
    area: 'scram',
    test,
    statement:
      'Soundness: a server-final-message with any one bit of its signature flipped is not believed (every bit of each exchange).',
  },
  {
    id: 'scram-07',
    area: 'scram',
    test,
    statement:
      'Soundness: if any one bit of server-first-message was flipped on the way, we end there, or the server refuses our proof and we its signature (every bit).',
  },
  {
    id: 'scram-08',
    area: 'scram',
    test,
    statement: 'Soundness: a message of the server that is cut off anywhere leads to trust on neither side.',
  },
  {
    id: 'scram-09',
    area: 'scram',
    test,
    statement: 'Soundness: a signature made with another password or another salt is not believed.',
  },
  {
    id: 'scram-10',
    area: 'scram',
    test,
    statement: 'Replay: what a server said in one exchange proves nothing in another.',
  },
  {
    id: 'scram-11',
    area: 'scram',
    test,
    statement: 'Every fault of the menu in a message of the server ends in the kind of failure that the fault demands.',
  },
  {
    id: 'scram-12',
    area: 'scram',
    test,
    statement: 'The verifier that these tests judge by lets the honest client in, and none with a fault.',
  },
  {
    id: 'scram-13',
    area: 'scram',
    test,
    statement: 'No other bytes than the one signature are believed, of whatever length.',
  },
  {
    id: 'scram-14',
    area: 'scram',
    test,
    statement:
      'The nonce of the server begins with all of ours and has something behind it, or the server is unproven.',
  },
  {
    id: 'scram-15',
    area: 'scram',
    test,
    statement: 'Iterations above the bound are a limit, below the minimum a policy, for counts of any size.',
  },
  {
    id: 'scram-16',
    area: 'scram',
    test,
    statement: 'Iterations above the bound cost no work: nothing is derived and no proof is sent.',
  },
  {
    id: 'scram-17',
    area: 'scram',
    test,
    statement: 'SASLprep: all ways to type a password lead to one key, and the prepared form to itself.',
  },
  {
    id: 'scram-18',
    area: 'scram',
    test,
    statement: 'SASLprep never fails, never empties a password, and leaves ASCII as it is.',
  },
  { id: 'scram-19', area: 'scram', test, statement: "Channel binding covers every bit of the server's certificate." },
  {
    id: 'scram-20',
    area: 'scram',
    test,
    statement: 'A downgrade of channel binding on the way is noticed by a server that offers it.',
  },
  {
    id: 'scram-21',
    area: 'scram',
    test,
    statement: 'Whatever is offered, the binding is never less than what the policy demands.',
  },
  {
    id: 'scram-22',
    area: 'scram',
    test,
    statement:
      'Totality: any bytes as a message of the server are parsed, or refused as malformed or incompatible with a place in them.',
  },
  { id: 'scram-23', area: 'scram', test, statement: 'No failure shows a nonce, key or signature.' },
  {
    id: 'scram-24',
    area: 'scram',
    test,
    statement: "The answer to an MD5 request is the manual's formula over what PostgreSQL stores.",
  },
  {
    id: 'scram-25',
    area: 'scram',
    test,
    statement: 'The answer to an MD5 request depends on the password, the user and every bit of the salt.',
  },
  {
    id: 'scram-26',
    area: 'scram',
    test,
    statement:
      'Whatever a client calls itself behind n=, whoever knows the password is let in, and the name is signed.',
  },
]

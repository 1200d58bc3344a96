/** What must hold between us and other clients. */
const DIFFERENTIAL_TEST = 'test/fuzz/differential.test.ts'
const LIBPQ_TEST = 'test/libpq/libpq.test.ts'

export const DIFFERENTIAL = [
  {
    id: 'differential-01',
    area: 'differential',
    statement:
      'For one URI and one server we, pg, postgres.js and libpq come to the same end, but for the differences that are listed.',
    test: DIFFERENTIAL_TEST,
  },
  {
    id: 'differential-02',
    area: 'differential',
    statement: 'Every difference that is listed has a reason, and is still there.',
    test: DIFFERENTIAL_TEST,
  },
  {
    id: 'differential-03',
    area: 'differential',
    statement: 'A key/value string is the same parameters and texts for us as for libpq, or refused by both.',
    test: LIBPQ_TEST,
  },
  {
    id: 'differential-04',
    area: 'differential',
    statement: 'Of a key/value string, a service and the environment the same counts for us as for libpq.',
    test: LIBPQ_TEST,
  },
  {
    id: 'differential-05',
    area: 'differential',
    statement: 'In a password file we find the same password as libpq, or none like libpq.',
    test: LIBPQ_TEST,
  },
] as const

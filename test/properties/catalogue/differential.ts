/** What must hold between us and other clients. */
const DIFFERENTIAL_TEST = 'test/fuzz/differential.test.ts'

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
] as const

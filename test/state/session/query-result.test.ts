import { describe, expect, it } from 'vitest'
import { ResultCollector } from '../../../src/state/session/query-result.ts'

/** What is kept of one statement with this tag. */
function completed(commandTag: string) {
  const collector = new ResultCollector()
  collector.complete(commandTag)
  return collector.results[0]
}

describe('the result of a statement', () => {
  // #PROTOCOL-MESSAGE-FORMATS-COMMANDCOMPLETE: the number of rows is the last word, where there is one.
  it.each([
    ['INSERT 0 25', 25],
    ['SELECT 12', 12],
    ['7', 7],
    ['CREATE TABLE', null],
    ['MOVE 5 of many', null],
    ['TABLE5', null],
  ])('with the tag %s has a row count of %s', (commandTag, rowCount) => {
    expect(completed(commandTag)?.rowCount).toBe(rowCount)
  })

  it('that brought nothing is empty', () => {
    expect(completed('SELECT 0')).toMatchObject({ columns: [], rows: [], copyData: [], notices: [] })
  })

  it('has nothing of the one before it', () => {
    const collector = new ResultCollector()
    collector.addCopyData(Buffer.from('1\n'))
    collector.complete('COPY 1')
    collector.complete('COPY 0')
    expect(collector.results.map(({ copyData }) => copyData)).toEqual([[Buffer.from('1\n')], []])
  })
})

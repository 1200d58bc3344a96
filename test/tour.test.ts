/** docs/tour.md leads somewhere: its commands run, its example is so, its files are there. */
import { afterAll, describe, expect, it } from 'vitest'
import { main } from '../src/cli/main.ts'
import { networkIo } from './cli/network-io.ts'
import { blocksOf, Examples, readPage } from './support/page.ts'
import { lawful } from './support/scripted-server.ts'
import { runtimeOf } from './support/world.ts'

const TOUR = readPage('docs/tour.md')
const examples = new Examples()
afterAll(() => examples.remove())

describe('docs/tour.md', () => {
  it.each(blocksOf(TOUR, 'sh'))('%s', async (command) => {
    const [, line = ''] = /^npm run -s pg-deadline -- (.*)\n$/.exec(command) ?? []
    const { io, out, err } = networkIo(runtimeOf(lawful()))
    expect(await main(line.split(' '), io, '')).toBe(0)
    expect(err()).toBe('')
    expect(out().split('\n').length).toBeGreaterThan(3)
  })

  it.each(blocksOf(TOUR, 'ts'))('example %#: what it says is so', async (code) => {
    for (const [seen, said] of await examples.run(code)) expect(seen).toEqual(said)
  })

  it('has an answer for everything to try', () => {
    const tries = [...TOUR.matchAll(/^\*Try (\d+)\.\*/gm)].map(([, number]) => Number(number))
    const answers = [...(TOUR.split('## Answers')[1] ?? '').matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number))
    expect(tries).toEqual(tries.map((_, index) => index + 1))
    expect(answers).toEqual(tries)
  })
})

import { describe, expect, it } from 'vitest'
import { type Environment, Screen } from '../../src/cli/screen.ts'

const TERMINAL = { isTerminal: true, columns: 100 }

function painted(env: Environment, isTerminal: boolean): boolean {
  return new Screen({ env, isTerminal }).paint('bold', 'text') !== 'text'
}

describe('the screen', () => {
  it.each<[Environment, boolean, boolean]>([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ TERM: 'dumb' }, true, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
  ])('with %j on a terminal (%s) has colours: %s', (env, isTerminal, expected) => {
    expect(painted(env, isTerminal)).toBe(expected)
  })

  it('paints nothing where there is nothing', () => {
    expect(new Screen({ env: { FORCE_COLOR: '1' }, isTerminal: true }).paint('red', '')).toBe('')
  })

  it.each([
    [undefined, 80],
    [0, 80],
    [200, 80],
    [60, 60],
    [3, 24],
  ])('of %s columns is %d wide', (columns, width) => {
    expect(new Screen({ env: {}, isTerminal: true, columns }).width).toBe(width)
  })

  it('is not one where nothing may move', () => {
    expect(new Screen({ env: { TERM: 'dumb' }, isTerminal: true }).isTerminal).toBe(false)
    expect(Screen.of({ isTTY: true, columns: 70 }, {})).toMatchObject({ isTerminal: true, width: 70 })
    expect(Screen.of({}, {})).toMatchObject({ isTerminal: false, width: 80 })
  })

  it('cuts a line and says so', () => {
    const screen = new Screen({ env: {}, ...TERMINAL })
    expect(screen.cut('x'.repeat(80))).toBe('x'.repeat(80))
    expect(screen.cut('x'.repeat(81))).toBe(`${'x'.repeat(79)}…`)
    expect(screen.cut('abcdef', 4)).toBe('abc…')
  })

  it('wraps between words, and a word that is too long stands alone', () => {
    const screen = new Screen({ env: {}, isTerminal: true, columns: 24 })
    expect(screen.wrap(`one two three four five ${'x'.repeat(30)} six`, '  ', '    ')).toEqual([
      '  one two three four',
      '    five',
      `    ${'x'.repeat(30)}`,
      '    six',
    ])
  })

  it('sets names and values beside each other', () => {
    const screen = new Screen({ env: {}, isTerminal: false, columns: 24 })
    expect(
      screen.facts([
        ['a', 'one two three four five'],
        ['bcd', 'x'],
      ]),
    ).toEqual(['  a    one two three', '       four five', '  bcd  x'])
  })
})

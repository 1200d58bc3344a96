/**
 * Finds the guards of a source file, by regular expressions: the formatter sees to it that there is one way to write each.
 * What is not found is not tried, so a new function that only judges has to be named in `CALLS` or `VERDICTS`.
 */

export interface Guard {
  readonly file: string
  readonly line: number
  readonly kind: 'throw' | 'early return' | 'call' | 'verdict'
  /** As it stands in the source, on one line. */
  readonly text: string
  /** The file without it. */
  readonly without: string
}

/** Called for what they throw: nobody uses what they return. With or without an object in front. */
const CALLS = [
  'admit',
  'bound',
  'checkCharacters',
  'checkEncoding',
  'checkOptions',
  'checkPair',
  'checkUnbound',
  'finish',
  'need',
  'refuseMandatoryExtension',
  'skipExtensions',
  'take',
  'throwIfAborted',
  'verifyOutcome',
]

/** Functions whose value is a judgement: every `if (…) return` of theirs is a guard. */
const VERDICTS = [
  'decodeTlsReply',
  'findConnectMisuse',
  'findMisuseOf',
  'findRejection',
  'mayTryOther',
  'parseRequireAuth',
]

const COMMENTS = String.raw`(?:\/\/[^\n]*\s*)*`
const THROWS = new RegExp(String.raw`^\)\s*(?:\{\s*)?${COMMENTS}throw\b`)
const RETURNS = new RegExp(String.raw`^\)\s*(?:\{\s*)?${COMMENTS}return\b`)
/** At the beginning of a line, or behind `if (…)`. */
const CALL = new RegExp(String.raw`(?<=\n\s*|\) )(?:[\w.]+\.)?#?(?:${CALLS.join('|')})\(`, 'g')

export function findGuards(file: string, source: string): Guard[] {
  return [...findConditions(file, source), ...findCalls(file, source)].sort((one, other) => one.line - other.line)
}

function findConditions(file: string, source: string): Guard[] {
  const found: Guard[] = []
  for (const { index } of source.matchAll(/\bif \(/g)) {
    const begin = index + 'if ('.length
    const end = closingParenthesis(source, begin)
    const condition = source.slice(begin, end)
    const behind = source.slice(end)

    function add(kind: Guard['kind'], instead: 'true ||' | 'false &&', verb: string): void {
      const without = `${source.slice(0, begin)}${instead} (${condition})${behind}`
      found.push({ file, line: lineOf(source, index), kind, text: oneLine(`if (${condition}) ${verb}`), without })
    }

    // `if (!(error instanceof Fault)) throw error` passes on what is not its own: no guard against a server.
    if (THROWS.test(behind) && !/^!\(?\w+ instanceof/.test(condition)) add('throw', 'false &&', 'throw')
    if (!RETURNS.test(behind)) continue
    // All is well, or else what follows throws.
    if (/\bthrow\b/.test(restOfBlock(source, index))) add('early return', 'true ||', 'return')
    if (VERDICTS.includes(functionAround(source, index))) add('verdict', 'false &&', 'return')
  }
  return found
}

function findCalls(file: string, source: string): Guard[] {
  const found: Guard[] = []
  for (const { index, 0: opening } of source.matchAll(CALL)) {
    const end = closingParenthesis(source, index + opening.length) + 1
    // Behind a declaration comes its type, behind a value its use.
    if (source[end] !== '\n') continue
    const without = `${source.slice(0, index)}void 0${source.slice(end)}`
    found.push({ file, line: lineOf(source, index), kind: 'call', text: oneLine(source.slice(index, end)), without })
  }
  return found
}

/** What is left of the block that a statement stands in: up to a line that is indented less. Without comments. */
function restOfBlock(source: string, at: number): string {
  const lines = source.slice(source.lastIndexOf('\n', at) + 1).split('\n')
  const indent = indentOf(lines[0] ?? '')
  const end = lines.findIndex((line) => line !== '' && indentOf(line) < indent)
  return lines
    .slice(1, end)
    .map((line) => line.replace(/\/\/.*/, ''))
    .join('\n')
}

/** The name of the last function of the file that begins before this. */
function functionAround(source: string, at: number): string {
  return [...source.slice(0, at).matchAll(/^(?:export )?(?:async )?function (\w+)/gm)].at(-1)?.[1] ?? ''
}

function indentOf(line: string): number {
  return line.search(/\S|$/)
}

function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}

function closingParenthesis(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text[at] === '(') depth += 1
    else if (text[at] === ')') depth -= 1
    if (depth === 0) return at
  }
  throw new Error('a parenthesis is not closed')
}

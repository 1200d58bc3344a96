/**
 * What people read is left out of mutation: the texts of errors and advice. That a text is another one is noticed only by a
 * test that repeats it, which proves nothing. Names, tags, kinds and everything else that a program compares are mutated.
 */
interface Node {
  readonly type: string
  readonly key?: { readonly name?: string }
  readonly callee?: {
    readonly name?: string
    readonly property?: { readonly id?: { readonly name?: string }; readonly name?: string }
  }
}

interface Path {
  readonly node: Node
  readonly parent: Node | null
  readonly parentPath: Path | null
}

/** A sentence, and a list of some. */
const TEXTS = new Set(['StringLiteral', 'TemplateLiteral', 'ArrayExpression'])
/** Properties that hold a sentence. */
const SENTENCES = new Set(['what', 'advice', 'problem', 'expected', 'received', 'reason', 'title'])
/** Functions that are given one. */
const SPEAKERS = new Set([
  ...['Error', 'RangeError', 'TypeError'],
  ...['bound', 'fault', 'malformed', 'misbehaved', 'oddAnswer', 'unproven', 'unsupported'],
])

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'human-texts',
    value: {
      shouldIgnore(path: Path): string | undefined {
        if (!TEXTS.has(path.node.type)) return undefined
        for (let at: Path | null = path; at !== null; at = at.parentPath) {
          const { parent } = at
          if (parent === null || /Function|Statement|Class/.test(parent.type)) return undefined
          if (parent.type === 'ObjectProperty' && SENTENCES.has(parent.key?.name ?? '')) return 'a text for people'
          if (/^(Call|New)Expression$/.test(parent.type) && SPEAKERS.has(calledBy(parent))) return 'a text for people'
        }
        return undefined
      },
    },
  },
]

function calledBy({ callee }: Node): string {
  return callee?.name ?? callee?.property?.name ?? callee?.property?.id?.name ?? ''
}

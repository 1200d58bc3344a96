/** docs/deadlines.md, from verdicts and figures. */
import type { Client } from './clients.ts'
import type { Figures } from './overshoot.ts'
import { type Place, STAGES } from './places.ts'
import { drawEnd, isUnmeasured } from './table.ts'
import { CAP_MS, EXIT_MS, signatureOf, TOLERANCE_MS, type Verdict } from './verdict.ts'

export interface Findings {
  readonly places: readonly Place[]
  readonly clients: readonly Client[]
  readonly verdicts: readonly Verdict[]
  readonly figures: readonly Figures[]
  readonly machine: string
  readonly date: string
}

/** The whole page. */
export function writePage({ places, clients, verdicts, figures, machine, date }: Findings): string {
  const stalls = places.filter(({ stage }) => stage !== 'nothing')
  return `<!-- Made by \`npm run stalls\` from what it measured. Do not edit. -->

# Deadlines

Where can a connect stall, and what does its deadline do about it? For every place where a server, a network or our own
process can keep a connect waiting, each client was asked to connect within a deadline, and four things were looked at:

1. **Did it end on time?** Not later than ${TOLERANCE_MS} ms after the deadline.
2. **Does the error name the place?** It has a word that belongs to the place (below), and it is not the error that this
   client gives where the time went to something else. Numbers, addresses and names of hosts make no difference.
3. **Is the socket gone?** Closed within 0.4 s of the end, as seen from the other side.
4. **Does the process end by itself?** Within ${EXIT_MS / 1_000} s, when it has nothing else to do.

Measured ${date} on ${machine}.
Each client has a process of its own for every cell, and nobody is waited for longer than ${CAP_MS / 1_000} s:

${clients.map(({ title, setting }) => `- ${title}, \`${setting}\`\n`).join('')}
## In sum

Of the places below that a client knows, the honest server aside. Where it connected, there is no error to name anything.

| client | on time | error names the place | socket gone | process ends |
|---|---:|---:|---:|---:|
${clients.map((client) => sumLine(client, verdicts, stalls)).join('')}
${shortcomings(verdicts, stalls)}
## Place by place

When it ended, and then the answers to 2, 3 and 4: ✓ yes, ✗ no, · does not arise. \`+2 ms\` is after the deadline, \`at 9 ms\`
after the call (it did not wait for the deadline, which is right where a limit was passed), \`ok 30 ms\`: connected. What is
late is in bold.

| place | ${clients.map(({ title }) => title).join(' | ')} |
|---|${clients.map(() => '---|').join('')}
${places.map((place) => placeLine(place, clients, verdicts)).join('')}
- psql, which stands for libpq, has the start of its process in its times: about what it takes with an honest server. Its
  socket and its process end with it. libpq counts whole seconds of the wall clock, so it can also end early.
- postgres.js connects when it is first asked for something: \`select 1\` is part of its connect.
- pg and pg-pool know one host. pg-pool is asked for its first client.
- Nobody calls \`end()\` on what has failed. pg needs it once it has refused the iterations: until then its connection lives.
- In key derivation the server asks for 12,000,000 iterations of PBKDF2; then the same with the bound raised, if there is one.
- Where a client's own loop is blocked, from 0.5 s to 1.5 s after the call, it cannot end before that: the overshoot counts
  from there.
- Behind the black hole stands an honest server. Who gives up at the deadline has not come to it.
- getaddrinfo and PBKDF2 cannot be stopped in Node: while they run they keep a process alive, whoever has asked for them.

## How exact is the deadline?

Ours, with deadlines of 20 to 120 ms, on a server that never answers; 16 connects at a time. Under floods: while four more
connects, again and again, in the same process, meet a server that sends ParameterStatus without end, and end it by a limit.

There are two baselines: Node's own timer, set for the same times in the same process, which no deadline can beat; and the
same meanwhile in a process that does nothing else: what is late there is the machine's doing. Milliseconds after the deadline:

| what | times | p50 | p99 | p99.9 | max |
|---|---:|---:|---:|---:|---:|
${figures.map(figureLine).join('')}
${figures.map(aimLine).join('')}
## What it teaches

- One timer around the whole connect ends on time nearly everywhere. Late is what no timer covers: each host anew, a check
  behind ReadyForQuery, a look-up or a computation that looks at no clock, reading without a pause.
- A computation in the event loop cannot be ended by any timer. It needs a bound that is checked before the work begins.
- "On time" is the smaller half. An error that reads the same in sixteen places sends people looking in sixteen places.

## What the errors say

As the client has them: name, code, phase, message. What differs from one connect to the next is a #.

${clients.map((client) => errorsOf(client, stalls, verdicts)).join('\n')}
An error can name a place only with one of its words:

| place | words |
|---|---|
${stalls.map(({ title, stage }) => `| ${title} | \`${inCell(STAGES[stage].source)}\` |\n`).join('')}`
}

function sumLine({ id, title }: Client, verdicts: readonly Verdict[], places: readonly Place[]): string {
  const own = verdicts.filter(({ client, place }) => client === id && places.some((one) => one.id === place))
  const count = (question: 'isOnTime' | 'namesPlace' | 'isSocketGone' | 'exits') => {
    const answers = own.map((verdict) => verdict[question]).filter((answer) => answer !== null)
    return answers.length === 0 ? '·' : `${answers.filter(Boolean).length} of ${answers.length}`
  }
  return `| ${title} | ${count('isOnTime')} | ${count('namesPlace')} | ${count('isSocketGone')} | ${count('exits')} |\n`
}

const QUESTIONS = {
  isOnTime: 'does not end on time',
  namesPlace: 'the error does not name the place',
  isSocketGone: 'the socket is not gone',
  exits: 'the process does not end',
} as const

/** Ours by name: nobody should have to look for them. */
function shortcomings(verdicts: readonly Verdict[], places: readonly Place[]): string {
  const own = verdicts.filter(({ client }) => client === 'pg-deadline')
  const lines = places.flatMap(({ id, title }) => {
    const verdict = own.find(({ place }) => place === id)
    if (verdict === undefined) return []
    if (isUnmeasured(verdict)) return [`- ${title}: ${cellOf(verdict)}\n`]
    const questions = Object.keys(QUESTIONS) as (keyof typeof QUESTIONS)[]
    const failed = questions.filter((question) => verdict[question] === false).map((question) => QUESTIONS[question])
    return failed.length === 0 ? [] : [`- ${title}: ${failed.join(', ')}\n`]
  })
  return lines.length === 0 ? '' : `What is not good, or not measured, of ours:\n\n${lines.join('')}`
}

function placeLine({ id, title }: Place, clients: readonly Client[], verdicts: readonly Verdict[]): string {
  const cells = clients.map((client) => {
    const verdict = verdicts.find((one) => one.place === id && one.client === client.id)
    return verdict === undefined ? '' : cellOf(verdict)
  })
  return `| ${title} | ${cells.join(' | ')} |\n`
}

function cellOf(verdict: Verdict): string {
  if (isUnmeasured(verdict)) return verdict.how === 'skipped' ? verdict.text : 'not in this version'
  const end = verdict.how === 'never' ? `never (killed after ${CAP_MS / 1_000} s)` : `${drawEnd(verdict)} ms`
  const marks = [verdict.namesPlace, verdict.isSocketGone, verdict.exits].map(mark).join('')
  return `${verdict.isOnTime ? end : `**${end}**`} ${marks}`
}

function mark(answer: boolean | null): string {
  return answer === null ? '·' : answer ? '✓' : '✗'
}

function figureLine({ title, count, p50, p99, p999, max }: Figures): string {
  const numbers = [p50, p99, p999, max].map((one) => one.toFixed(1))
  return `| ${title} | ${count.toLocaleString('en')} | ${numbers.join(' | ')} |\n`
}

function aimLine({ title, p999, aimMs }: Figures): string {
  if (aimMs === null) return ''
  return `- ${title}: aimed at is a p99.9 below ${aimMs} ms; ${p999 < aimMs ? 'reached' : 'not reached'} in this run.\n`
}

/** Every error of a client once, with the places that it came from. */
function errorsOf({ id, title }: Client, places: readonly Place[], verdicts: readonly Verdict[]): string {
  const titles = new Map<string, string[]>()
  for (const place of places) {
    const verdict = verdicts.find((one) => one.place === place.id && one.client === id)
    if (verdict === undefined || isUnmeasured(verdict) || verdict.text === '') continue
    const signature = signatureOf(verdict.text)
    titles.set(signature, [...(titles.get(signature) ?? []), place.title])
  }
  const lines = [...titles].map(([signature, where]) => `| ${inCell(signature)} | ${where.join('; ')} |\n`)
  return `### ${title}\n\n| error | places |\n|---|---|\n${lines.join('')}`
}

function inCell(text: string): string {
  return text.replaceAll(/[|<]/g, '\\$&')
}

/**
 * Writes the pages of docs/ that are made from the code, or from figures that are kept: `npm run docs`. With `--check` it writes
 * nothing and fails if a page is not what they say.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFiles } from '../bench/page/page.ts'
import { readResults } from '../bench/results.ts'
import type { MutatedFile, MutationRun } from '../scripts/mutate/summary.ts'
import { type Rate, readRates } from '../scripts/rates.ts'
import { drawBytes } from '../src/cli/draw-bytes.ts'
import { explain } from '../src/cli/explain.ts'
import { RUNTIME_VARIABLES, VARIABLES } from '../src/config/environment.ts'
import { NOT_BUILT, PARAMETERS } from '../src/config/parameters.ts'
import { typeName } from '../src/protocol/annotate.ts'
import { AUTHENTICATION_MESSAGES } from '../src/protocol/authentication.ts'
import { BACKEND_MESSAGES } from '../src/protocol/backend.ts'
import { FRONTEND_MESSAGES } from '../src/protocol/frontend.ts'
import { LIMITS } from '../src/protocol/limits.ts'
import type { MessageLayout } from '../src/protocol/message.ts'
import { STARTUP_MESSAGES } from '../src/protocol/startup.ts'
import { drawTable } from '../src/state/diagram.ts'
import { AWAITED, EVERYWHERE, TABLE } from '../src/state/handshake/table.ts'
import type { Table } from '../src/state/machine.ts'
import { SESSION_AWAITED, SESSION_EVERYWHERE, SESSION_TABLE } from '../src/state/session/table.ts'
import { ATTACKS } from '../src/testing/attacks.ts'
import { HANDSHAKES } from '../test/fuzz/seed.ts'
import { AREAS, PROPERTIES } from '../test/properties/catalogue.ts'
import { lengthOf, PROFILES } from '../test/properties/profiles.ts'
import { SEEDED_BUGS, type SeededBug } from '../test/properties/seeded-bugs.ts'
import { type Example, examplesOf } from '../test/protocol/examples.ts'
import { HAZARDS, type Hazard } from './hazards.ts'
import { REVIEWED, type Reviewed } from './mutants.ts'

const MANUAL = 'https://www.postgresql.org/docs/current'
/** Beside the bytes, so that a line has 80 columns. */
const EXPLAINED_WIDTH = 55
const MADE = '<!-- Made by `npm run docs` from the code. Do not edit. -->\n'

/** What scripts/seeded-bugs.ts has counted. */
const SEEDED = JSON.parse(readFileSync(join(import.meta.dirname, 'seeded-bugs.json'), 'utf8')) as {
  readonly seeds: number
  readonly found: Readonly<
    Record<string, Readonly<Record<string, { readonly median: number; readonly worst: number }>>>
  >
}

/** What scripts/mutate.ts has found, folder by folder. */
const MUTATION = JSON.parse(readFileSync(join(import.meta.dirname, 'mutation.json'), 'utf8')) as Readonly<
  Record<string, MutationRun>
>

const RATES = readRates()

const messages: readonly MessageLayout[] = [
  ...STARTUP_MESSAGES,
  ...FRONTEND_MESSAGES,
  ...AUTHENTICATION_MESSAGES,
  ...BACKEND_MESSAGES,
]
const anchors = new Map(messages.map(({ name, anchor }) => [name, anchor]))

const BENCHMARKS = Object.entries(makeFiles(readResults())).map(([name, text]) => [name, () => text] as const)

const PAGES: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(BENCHMARKS),

  'handshake.md': () => `${MADE}
# The handshake

From [src/state/handshake/table.ts](../src/state/handshake/table.ts). Rows are states, which say what is being
awaited; an error's \`phase\` is the name of one of them. What a state does with an event stands in
[transitions.ts](../src/state/handshake/transitions.ts), one function per cell.

${diagram(TABLE, 'Disconnected')}
${rows(TABLE, AWAITED)}
In every state but the last two:

${everywhere(EVERYWHERE)}
# The session

What may happen after ReadyForQuery, from [src/state/session/table.ts](../src/state/session/table.ts).

${diagram(SESSION_TABLE, 'Idle')}
${rows(SESSION_TABLE, SESSION_AWAITED)}
In every state but the last two:

${everywhere(SESSION_EVERYWHERE)}`,

  'messages.md': () => `${MADE}
# Messages

The bytes of every message that this library reads or writes, from the descriptions in
[src/protocol](../src/protocol). A message is its tag (but for those that start a connection), an Int32 that counts
the bytes from itself on, and the fields. Types are the manual's:
[protocol-message-types](${MANUAL}/protocol-message-types.html#PROTOCOL-MESSAGE-TYPES). Below the fields stands one message, written from the
manual, with every byte beside what it is; the tests read and write these very bytes ([examples.ts](../test/protocol/examples.ts)).

${section('What starts a connection', STARTUP_MESSAGES)}
${section('What the client says', FRONTEND_MESSAGES)}
${section('Authentication requests', AUTHENTICATION_MESSAGES)}
${section('What the server says', BACKEND_MESSAGES)}
# Limits

From [src/protocol/limits.ts](../src/protocol/limits.ts), where each has its reason and its precedent.

| limit | number |
|---|---:|
${Object.entries(LIMITS)
  .map(([name, limit]) => `| ${name} | ${limit.toLocaleString('en')} |\n`)
  .join('')}`,

  'parameters.md': () => `${MADE}
# Connection parameters

In a URI and in key/value pairs by the name on the left, in an object by the name beside it. Those without a link are ours. The
variable counts if \`connect\` is handed an environment.

| name | object | variable | meaning | default |
|---|---|---|---|---|
${Object.entries(PARAMETERS)
  .map(([name, parameter]) => {
    const linked =
      parameter.anchor === null ? `\`${name}\`` : `[\`${name}\`](${MANUAL}/libpq-connect.html${parameter.anchor})`
    const variable = VARIABLES[name] === undefined ? '' : `\`${VARIABLES[name]}\``
    return `| ${linked} | \`${parameter.property}\` | ${variable} | ${cell(parameter.meaning)} | ${cell(parameter.default)} |\n`
  })
  .join('')}
libpq knows these besides, which are not built here. They are refused if they ask for anything:
${Object.entries(NOT_BUILT)
  .map(([name, { anchor }]) => `[\`${name}\`](${MANUAL}/libpq-connect.html${anchor})`)
  .join(', ')}.

# What counts

What is given, then [the service](${MANUAL}/libpq-pgservice.html#LIBPQ-PGSERVICE), then
[the environment](${MANUAL}/libpq-envars.html#LIBPQ-ENVARS), then the default: for every parameter by itself, as in libpq. So \`PGHOSTADDR\`
says where a \`host\` is that is given without \`hostaddr\`. What stands behind another value is not even looked at.

An empty text is no value. In a string and in a service it stands in front of the environment all the same (\`user=''\`: the
operating system's name, whatever \`PGUSER\` says); an empty property of an object does not.

## A string

A string that begins with \`postgresql://\` or \`postgres://\` is a URI; any other one is read as key/value pairs,
[as libpq reads them](${MANUAL}/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE): \`host=one port = 5433
password='it\\'s'\`. Blanks around \`=\` do not count; what is empty or holds blanks stands in single quotes; a backslash takes
the next character as it is; of a parameter that is given twice the last text counts. In a URI nothing may be given twice, since its
readers differ there. An empty string is refused: \`{}\` says that everything is to be the default.

## The environment

\`connect(target, { environment: process.env })\` reads it as libpq would; without it no variable but \`HOME\` is looked at, which
tells where [the files of TLS](${MANUAL}/libpq-ssl.html#LIBPQ-SSL) are. Besides those above there are \`PGSERVICEFILE\` and
\`PGSYSCONFDIR\`, of which below; ${Object.keys(RUNTIME_VARIABLES)
    .map((variable) => `\`${variable}\``)
    .join(
      ', ',
    )}, which become run-time parameters; and \`PGREQUIRESSL=1\` of old. \`PGCLIENTENCODING\` may say UTF8 only.

## A service

\`service=name\` takes the parameters of \`[name]\` in \`~/.pg_service.conf\`. With an environment, \`PGSERVICE\` may name the service,
\`PGSERVICEFILE\` another file, and \`PGSYSCONFDIR\` a directory whose \`pg_service.conf\` is looked at last; libpq has a directory
of its own without that variable, which differs from build to build. LDAP is not built. The file is read in one go before there is a
deadline, since \`connect_timeout\` may stand in it; the time that it takes counts.

## A password file

Where there is no password, each host is looked for in \`passfile\`: lines of \`host:port:database:user:password\`, of which the first
that fits counts ([as in libpq](${MANUAL}/libpq-pgpass.html#LIBPQ-PGPASS)). With an environment that is \`~/.pgpass\`
(\`%APPDATA%\\postgresql\\pgpass.conf\` on Windows) if none is named; without, a file is read only if it is named. A socket in the
default directory is \`localhost\` there. It is read under the deadline, before anybody is dialed, and only if \`require_auth\` leaves a
method that takes a password. A file that is missing, that others may read (mode above 600), or that is no text, is passed over; who
then is asked for a password is told so in the error.
`,

  'hazards.md': () => `${MADE}
# Hazards

What a client of PostgreSQL must survive, from [hazards.ts](hazards.ts): where each is answered here, and what proves it.
Attacks are named by their ids; a star stands for all that begin so. What an attack does, and what it demands, is data in
[src/testing](../src/testing), for other clients too.

Every attack runs on real sockets ([sockets.test.ts](../test/hostile/sockets.test.ts)), those without TLS on a clock that
stands still as well ([virtual-time.test.ts](../test/hostile/virtual-time.test.ts)), and each in a process of its own, where
its cost is measured ([children.measure.ts](../test/hostile/children.measure.ts): \`npm run measure\`).

${Object.entries(HAZARDS)
  .map(
    ([title, hazards]) =>
      `## ${title}\n\n| hazard | source | answered in | proved by |\n|---|---|---|---|\n${hazards.map(hazardLine).join('')}`,
  )
  .join('\n')}
# The catalogue

${ATTACKS.length} attacks. *At once* means by what the server did, in less than a second of a deadline of five;
*deadline* means by the clock. The phase is the name of a state in [handshake.md](handshake.md).

${themes()
  .map(
    ([theme, attacks]) =>
      `## ${theme} (${attacks.length})\n\n| id | the server | ends with | in | when | source |\n|---|---|---|---|---|---|\n${attacks
        .map(
          ({ id, title, verdict, requirement }) =>
            `| ${id.slice(theme.length + 1)} | ${cell(printable(title))} | ${verdict.kind} | ${verdict.phase} | ${verdict.when} | ${cell(requirement.source)} |\n`,
        )
        .join('')}`,
  )
  .join('\n')}`,

  'properties.md': () => `${MADE}
# Properties

${PROPERTIES.length} statements that hold for everything, from
[test/properties/catalogue.ts](../test/properties/catalogue.ts). The name of the test that states one begins with its id:
\`npx vitest run test/properties/codec.test.ts -t codec-05\` runs it alone, with its file from the last column. (live-02 and live-04
look at what live-01 has left; run their file as a whole.) What they are tried with are the arbitraries of
[src/testing/arbitraries](../src/testing/arbitraries), which are exported as \`pg-deadline/testing/arbitraries\`.
[plug-in.md](plug-in.md) says how to run what is not about us alone on another client or server.

\`PG_DEADLINE_RUNS\` says how often each is tried; what stands in the tests is the default. When one fails, the seed is
printed, and \`PG_DEADLINE_SEED\` with the same number of runs finds the same failure again. Of a simulated connect the seed is
all there is: \`npm run sim -- --seed 7 --trace\` shows it.

# How many, and how fast

\`.ci/run\` tries all of this on every commit, in its stages of tests and of simulated connects.

| what | how many | a second |
|---|---:|---:|
| connects in the simulation: \`npm run sim\`, from seed 1 on | ${simulatedInCi().toLocaleString('en')} | ${rateCell(RATES.simulated)} |
| every byte at which one of ${PROFILES.length} lawful handshakes can stop, by silence, abort, FIN and RST: time-01 to time-04 | 4 × ${PROFILES.reduce((sum, profile) => sum + lengthOf(profile), 0).toLocaleString('en')} | |
| handshakes with a real PostgreSQL through a \`FaultProxy\`, from a new seed each time: live-01 and live-03 | ${(HANDSHAKES.harmed + HANDSHAKES.patient).toLocaleString('en')} | ${rateCell(RATES.real)} |

- ${rateLine('npm run sim -- --record', RATES.simulated)}
- ${rateLine('npm run fuzz -- --record', RATES.real)}

A load of more than there are processors means that others used the machine as well, and that alone it is faster. Every run
prints its own rate: the simulation in its last line, the tests of live-01 with their seed. Of the real handshakes many wait for a
deadline of 150 ms, since the path harms them, and eight go on at a time; what one takes when nothing is wrong stands in
[benchmarks.md](benchmarks.md).

\`npm run fuzz -- --minutes 60\` goes on for an hour, and \`--minutes 0 --seed 7\` does one round again.

# What holds

${Object.entries(AREAS)
  .map(([area, title]) => ({ area, title, properties: PROPERTIES.filter((property) => property.area === area) }))
  .filter(({ properties }) => properties.length > 0)
  .map(
    ({ area, title, properties }) =>
      `## ${title} (${area}: ${properties.length})\n\n| id | what holds | test |\n|---|---|---|\n${properties
        .map(
          ({ id, statement, test }) =>
            `| ${id} | ${cell(statement)} | ${linkTo('test', test.slice('test/'.length))} |\n`,
        )
        .join('')}`,
  )
  .join('\n')}
# Do they find bugs?

${SEEDED_BUGS.length} bugs that clients have really had are planted in our source, one at a time
(${linkTo('test', 'properties/seeded-bugs.ts')}), and the properties must find each. Counted are the runs until then, from
${SEEDED.seeds} seeds: a run is one example of a property, or one connect of the simulation. A property that looks at every case in
any event has one run. \`npm run seeded-bugs\` counts again; ${linkTo('test', 'properties/seeded-bugs.test.ts')} holds that each
is found, by every property that stands here.

| what such a client does | seen in | found by | runs: median | worst |
|---|---|---|---:|---:|
${SEEDED_BUGS.flatMap(seededBugLines).join('')}
What happens when every small thing in the pure folders is changed in turn stands in [mutation.md](mutation.md).`,

  'mutation.md': () => `${MADE}
# Mutation

One small thing in [src/protocol](../src/protocol), [src/auth](../src/auth) or [src/state](../src/state) is changed at a time (a
condition turned round, a bound moved by one, a block emptied), and some test must fail. *Killed*: one did. *Endless*: the tests
would never have come to an end. *Survived*: none noticed, and why not is told below. The score is the share that did not survive.

\`npm run mutate\` does it again, \`npm run mutate -- src/auth/der.ts\` for one file ([mutate.ts](../scripts/mutate.ts)). Stryker
makes the mutants; the tests of the folder and its properties, with examples from one seed, look for them in one process
([runner.ts](../scripts/mutate/runner.ts)), without a server. *Not tried* are mutants in constants, tables and descriptions, which are
alive only while modules are loaded, and so are dear: the runs below had \`--no-static\`. Texts that people read are left
alone (${Object.values(MUTATION)
    .flatMap(({ files }) => Object.values(files))
    .reduce((sum, { texts }) => sum + texts, 0)} of them): a test that repeats them would prove nothing.

${Object.entries(MUTATION)
  .map(([folder, run]) => mutationPart(folder, run))
  .join('\n')}
# The survivors

${survivorParts()}`,
}

/** What .ci/run asks for. */
function simulatedInCi(): number {
  const [, count] =
    /npm run sim -- --runs (\d+)/.exec(readFileSync(join(import.meta.dirname, '..', '.ci', 'run'), 'utf8')) ?? []
  if (count === undefined) throw new Error('.ci/run does not run the simulation')
  return Number(count)
}

function rateCell({ handshakes, seconds }: Rate): string {
  return Math.round(handshakes / seconds).toLocaleString('en')
}

function rateLine(command: string, { date, node, processors, load, handshakes, seconds }: Rate): string {
  return `\`${command}\`: ${handshakes.toLocaleString('en')} in ${seconds} s, ${date}, Node.js ${node}, ${processors} processors, load ${load}.`
}

function mutationPart(folder: string, { commit, date, node, stryker, files }: MutationRun): string {
  const lines = Object.entries(files).map(([path, file]) =>
    mutationLine(linkTo('src', path.slice('src/'.length)), [file]),
  )
  return `## ${folder}\n\n${date}, the source of commit ${commit}, Stryker ${stryker}, Node.js ${node}.\n\n| file | mutants | killed | endless | survived | not tried | score |\n|---|---:|---:|---:|---:|---:|---:|\n${lines.join('')}${mutationLine('**all**', Object.values(files))}`
}

function mutationLine(name: string, files: readonly MutatedFile[]): string {
  const sum = (count: (file: MutatedFile) => number) => files.reduce((total, file) => total + count(file), 0)
  const [killed, timeout, survived] = [
    sum((one) => one.killed),
    sum((one) => one.timeout),
    sum((one) => one.survivors.length),
  ]
  const tried = killed + timeout + survived
  const score = tried === 0 ? '' : `${((100 * (killed + timeout)) / tried).toFixed(1)} %`
  return `| ${name} | ${tried} | ${killed} | ${timeout} | ${survived} | ${sum((one) => one.notTried)} | ${score} |\n`
}

/** Every survivor has been looked at by somebody: one without a reason fails here. */
function survivorParts(): string {
  const left = Object.values(MUTATION).flatMap(({ files }) =>
    Object.entries(files).flatMap(([file, { survivors }]) => survivors.map((one) => ({ file, ...one }))),
  )
  const isMeant = (reviewed: Reviewed, { file, from, to }: (typeof left)[number]) =>
    reviewed.mutants.some((one) => one.file === file && one.from === from && (one.to === undefined || one.to === to))
  const unknown = left.filter((one) => !REVIEWED.some((reviewed) => isMeant(reviewed, one)))
  if (unknown.length > 0) {
    const shown = unknown.map(({ file, line, from, to }) => JSON.stringify({ file, line, from, to }))
    throw new Error(`docs/mutants.ts explains nothing of ${unknown.length} survivors:\n${shown.join('\n')}`)
  }
  return REVIEWED.map((reviewed) => ({ ...reviewed, here: left.filter((one) => isMeant(reviewed, one)) }))
    .filter(({ here }) => here.length > 0)
    .map(
      ({ title, why, here }) =>
        `## ${title} (${here.length})\n\n${why}\n\n| where | was | became |\n|---|---|---|\n${here
          .map(({ file, line, from, to }) => `| ${file.slice('src/'.length)}:${line} | ${code(from)} | ${code(to)} |\n`)
          .join('')}`,
    )
    .join('\n')
}

function code(text: string): string {
  const ticks = text.includes('`') ? '``' : '`'
  return text === '' ? 'nothing' : `${ticks} ${cell(text)} ${ticks}`.replace(/^` (.*) `$/, '`$1`')
}

function seededBugLines({ id, fault, source, foundBy }: SeededBug): string[] {
  return foundBy.map((property, index) => {
    const count = SEEDED.found[id]?.[property]
    if (count === undefined)
      throw new Error(`docs/seeded-bugs.json has no ${id}, ${property}: run \`npm run seeded-bugs\``)
    const told = index === 0 ? `${cell(fault)} | ${source.split('; ').map(linkToSource).join(', ')}` : ' | '
    return `| ${told} | ${property} | ${count.median.toLocaleString('en')} | ${count.worst.toLocaleString('en')} |\n`
  })
}

/** `owner/name#12` is a thread of GitHub, which leads on to the pull request if it is one. */
function linkToSource(source: string): string {
  const [, repository, number] = /^([\w.-]+\/[\w.-]+)#(\d+)$/.exec(source) ?? []
  if (repository !== undefined) return `[${source}](https://github.com/${repository}/issues/${number})`
  return source.startsWith('CVE-') ? `[${source}](https://www.cve.org/CVERecord?id=${source})` : cell(source)
}

function themes(): [theme: string, attacks: typeof ATTACKS][] {
  const names = [...new Set(ATTACKS.map(({ id }) => id.slice(0, id.indexOf('/'))))]
  return names.map((name) => [name, ATTACKS.filter(({ id }) => id.startsWith(`${name}/`))])
}

function hazardLine({ lesson, source, answeredIn, provedBy }: Hazard): string {
  const files = answeredIn.map((path) => linkTo('src', path))
  return `| ${cell(lesson)} | ${cell(source)} | ${files.join(', ')} | ${provedBy.map(proof).join(', ')} |\n`
}

/** A page that names a test or an attack that does not exist is worse than none. */
function proof(name: string): string {
  if (name.endsWith('.ts')) return linkTo('test', name)
  const found = name.endsWith('*')
    ? ATTACKS.some(({ id }) => id.startsWith(name.slice(0, -1)))
    : ATTACKS.some(({ id }) => id === name)
  if (!found) throw new Error(`docs/hazards.ts: there is no attack ${name}`)
  return `\`${name}\``
}

function linkTo(folder: string, path: string): string {
  if (!existsSync(join(import.meta.dirname, '..', folder, path))) throw new Error(`docs: there is no ${folder}/${path}`)
  return `[${path}](../${folder}/${path})`
}

function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?')
}

function diagram(table: Table, first: string): string {
  return `\`\`\`mermaid\n${drawTable(table, first)}\`\`\`\n`
}

function rows(table: Table, awaited: Readonly<Record<string, string | null>>): string {
  const lines = Object.entries(table).flatMap(([state, row]) => {
    const events = Object.entries(row)
    const wait = awaited[state] ?? 'nobody'
    if (events.length === 0) return [`| **${state}** | ${wait} | | |\n`]
    return events.map(([event, target], index) =>
      index === 0
        ? `| **${state}** | ${wait} | ${link(event)} | ${target} |\n`
        : `| | | ${link(event)} | ${target} |\n`,
    )
  })
  return `| state | waits for | event | next state |\n|---|---|---|---|\n${lines.join('')}`
}

function everywhere(row: Readonly<Record<string, string>>): string {
  const lines = Object.entries(row).map(([event, target]) => `| ${link(event)} | ${target} |\n`)
  return `| event | next state |\n|---|---|\n${lines.join('')}`
}

function link(event: string): string {
  const anchor = anchors.get(event)
  return anchor === undefined ? event : `[${event}](${MANUAL}/protocol-message-formats.html#${anchor})`
}

function section(title: string, layouts: readonly MessageLayout[]): string {
  const parts = layouts.map((layout) => {
    const { name, tag, fields } = layout
    const lines = Object.entries(fields).map(([field, { type }]) => `| ${field} | ${cell(typeName(type))} |\n`)
    const header = tag === null ? '| *no tag* | |\n' : `| *tag* | Byte1('${tag}') |\n`
    const fieldTable = `| field | type |\n|---|---|\n${header}| *length* | Int32 |\n${lines.join('')}`
    return `### ${link(name)}\n\n${fieldTable}\n${workedExample(layout)}`
  })
  return `## ${title}\n\n${parts.join('\n')}`
}

/** The one that its tests read and write, every byte beside what it is. */
function workedExample(layout: MessageLayout): string {
  const [{ bytes, value }] = examplesOf(layout) as readonly [Example]
  const notes = explain({ name: layout.name, layout, fields: value, bytes })
  const lines = drawBytes(notes, [], EXPLAINED_WIDTH).map(({ hex, text }) => `${hex}  ${text}`.trimEnd())
  return `\`\`\`text\n${lines.join('\n')}\n\`\`\`\n`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

const check = process.argv.includes('--check')
let stale = 0
for (const [name, make] of Object.entries(PAGES)) {
  const path = join(import.meta.dirname, name)
  const page = `${make().trimEnd()}\n`
  if (!check) writeFileSync(path, page)
  else if (readOrEmpty(path) !== page) {
    stale += 1
    console.error(`docs/${name} is not what the code says: run \`npm run docs\` and commit the result`)
  }
}
if (stale > 0) process.exitCode = 1
else console.log(check ? 'docs are up to date' : `wrote ${Object.keys(PAGES).join(', ')}`)

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

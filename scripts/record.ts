/**
 * Records the transcripts of docs/wire again, from real servers: `npm run record`, or `npm run record -- scram md5` for some. The
 * bytes of each file are replaced and its prose stays; where what happened is not what its headings say, it says so and writes
 * nothing. `--skeleton` prints the headings of a file that is not there yet.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { HBA, SCENARIOS, type Scenario, SERVER_CERTIFICATE, SETUP } from '../docs/wire/scenarios.ts'
import { play, type StageRuntime } from '../docs/wire/stage.ts'
import { type Facts, rewriteTranscript, type Section } from '../docs/wire/transcript.ts'
import { tlsServerEndPoint } from '../src/auth/channel-binding.ts'
import { createKnownServers } from '../src/known-servers.ts'
import { monotonicClock } from '../src/net/deadline.ts'
import { dial } from '../src/net/dial.ts'
import { deriveKeys } from '../src/net/kdf.ts'
import type { TlsFacts } from '../src/state/handshake/states.ts'
import { read } from '../test/certificates/index.ts'
import { startServer, type TestServer } from '../test/servers/server.ts'

const ROOT = join(import.meta.dirname, '..')

const { values, positionals } = parseArgs({ options: { skeleton: { type: 'boolean' } }, allowPositionals: true })
const wanted = SCENARIOS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
if (wanted.length === 0) throw new Error(`there are ${SCENARIOS.map(({ name }) => name).join(', ')}`)

for (const version of new Set(wanted.map((scenario) => scenario.version))) {
  const files = { 'server.crt': read('server.crt'), 'server.key': read('server.key') }
  await using server = await startServer({
    version,
    hba: HBA,
    setup: SETUP,
    files,
    settings: { ssl: 'on', timezone: 'UTC' },
  })
  for (const scenario of wanted) if (scenario.version === version) await record(server, scenario)
}

async function record(server: TestServer, { name, target, randomBytes, act }: Scenario): Promise<void> {
  const runtime: StageRuntime = {
    clock: monotonicClock,
    resolveHost: async () => [{ address: server.host, family: 4 }],
    // What leads to this very server is no part of the story.
    dial: (destination, deadline) => {
      const endpoint = { transport: 'tcp', host: 'localhost', address: server.host, port: server.port } as const
      return dial({ ...destination, addresses: null, endpoint }, deadline)
    },
    deriveKeys,
    isAsleep: () => untilAsleep(server),
    knownServers: createKnownServers(),
  }
  const given: Facts = { server: `PostgreSQL ${server.version}`, target, randomBytes }
  const { sections, tls } = await play(runtime, given, act)
  const facts = tls === null ? given : { ...given, tls: describeTls(tls) }
  const path = join(ROOT, 'docs/wire', `${name}.md`)
  if (values.skeleton === true) return console.log(skeletonOf(name, sections))
  writeFileSync(path, rewriteTranscript(readFileSync(path, 'utf8'), { facts, sections }))
  console.log(`docs/wire/${name}.md: ${sections.flatMap(({ steps }) => steps).length} messages`)
}

/** What a cancel request meets must not be a matter of luck. */
async function untilAsleep(server: TestServer): Promise<void> {
  const asleep = "select 1 from pg_stat_activity where wait_event = 'PgSleep'"
  while ((await server.sql(asleep)).length === 0) await sleep(10)
}

function describeTls({ version, cipher, alpnProtocol, serverCertificate }: TlsFacts): NonNullable<Facts['tls']> {
  const hash = serverCertificate === null ? null : tlsServerEndPoint(serverCertificate)
  if (hash === null) throw new Error('the server has shown no certificate that can be bound to')
  const certificateHash = Buffer.from(hash).toString('hex')
  return { version, cipher, alpnProtocol, certificate: SERVER_CERTIFICATE, certificateHash }
}

function skeletonOf(name: string, sections: readonly Section[]): string {
  const parts = sections.map(({ connection, states, steps }, index) => {
    const heading = connection === (sections[index - 1]?.connection ?? 1) ? '' : `## Connection ${connection}\n\n`
    const block = steps.length === 0 ? '' : '\n```wire\n```\n'
    return `${heading}### ${states.join(' → ')}\n${block}`
  })
  return `# ${name}\n\n\`\`\`json\n\`\`\`\n\n${parts.join('\n')}`
}

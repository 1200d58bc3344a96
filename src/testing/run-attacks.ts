/** Every attack of the catalogue on somebody's client, and what it made of each. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientAdapter, ClientTarget } from './adapter.ts'
import { type Attack, AUTHORITY_FILE, BASE } from './attack.ts'
import { ATTACKS } from './attacks.ts'
import { inWatchedLanes } from './crash-watch.ts'
import { type ExamineOptions, termsOf, within } from './examine.ts'
import { HostileServer } from './hostile-server.ts'
import { authority } from './identities.ts'
import { settle } from './try-client.ts'

/**
 * - `by itself`: the client has seen through it.
 * - `by the deadline`: right where the attack is to be silent, late where it is not.
 * - `accepted`: it is connected, which is what the attack was for.
 * - `hung`: its deadline has passed, and it goes on.
 * - `crashed`: it threw where nobody could catch it.
 * - `untried`: the client does not have the parameters that the attack is about.
 */
export type AttackEnding = 'by itself' | 'by the deadline' | 'accepted' | 'hung' | 'crashed' | 'untried'

export interface AttackVerdict {
  readonly attack: Attack
  readonly ended: AttackEnding
  /** Whether it ended as `attack.verdict.when` demands, with its socket closed. Null if it was not tried. */
  readonly isRight: boolean | null
  readonly isSocketGone: boolean
  readonly error: string | null
}

export interface RunAttacksOptions extends Pick<ExamineOptions, 'timeoutMs' | 'slackMs' | 'lanes'> {
  /** Default: all of them. */
  readonly attacks?: readonly Attack[] | undefined
}

/**
 * @example
 * const verdicts = await runAttacks(client)
 * for (const { attack, ended } of verdicts) if (ended === 'accepted') console.log(attack.id, attack.requirement.source)
 */
export async function runAttacks(
  client: ClientAdapter,
  { attacks = ATTACKS, ...options }: RunAttacksOptions = {},
): Promise<AttackVerdict[]> {
  // Long enough for what ends by itself to have ended; servers that send without end live in this process too.
  const { timeoutMs, slackMs, lanes } = termsOf({ timeoutMs: 1_000, lanes: 4, ...options })
  const directory = await mkdtemp(join(tmpdir(), 'hostile-'))
  try {
    const authorityFile = join(directory, 'authority.crt')
    await writeFile(authorityFile, authority().certificate)
    const attempt = (attack: Attack) => suffer(client, attack, authorityFile, { timeoutMs, slackMs })
    return await inWatchedLanes(attacks, lanes, attempt, (verdict, crash) => ({
      ...verdict,
      ended: 'crashed',
      isRight: false,
      error: crash,
    }))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function suffer(
  client: ClientAdapter,
  attack: Attack,
  authorityFile: string,
  terms: { readonly timeoutMs: number; readonly slackMs: number },
): Promise<AttackVerdict> {
  await using server = await HostileServer.listen(attack.script, { transport: attack.transport })
  const { user = '', password = '', ...others } = { ...BASE, ...attack.target }
  const entries = Object.entries(others)
  const parameters = Object.fromEntries(
    entries.map(([name, value]) => [name, value === AUTHORITY_FILE ? authorityFile : value]),
  )
  const { host = server.host, ...rest } = parameters
  const target = { host, port: server.port, user, password, database: 'app', parameters: rest }
  if (!(client.supports ?? isPlain)(target)) {
    return { attack, ended: 'untried', isRight: null, isSocketGone: true, error: null }
  }
  const { connection, ended: settled, error } = await settle(client, target, terms)
  if (connection !== null)
    await within(
      connection.close().catch(() => {}),
      terms.slackMs,
    )
  const isSocketGone =
    settled !== 'hung' &&
    (await within(
      server.settled().then(() => true),
      terms.slackMs,
    )) !== null
  const ended = ENDINGS[settled]
  const expected = attack.verdict.when === 'at once' ? 'by itself' : 'by the deadline'
  return { attack, ended, isRight: ended === expected && isSocketGone, isSocketGone, error }
}

const ENDINGS = {
  connected: 'accepted',
  rejected: 'by itself',
  'rejected at its deadline': 'by the deadline',
  hung: 'hung',
} as const

function isPlain({ host, parameters }: ClientTarget): boolean {
  return !host.startsWith('/') && Object.keys(parameters).length === 1 && parameters['sslmode'] === 'disable'
}

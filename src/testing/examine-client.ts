/** Examines a client: its properties, one after the other, against an honest server. */
import type { ClientAdapter, ServerAdapter } from './adapter.ts'
import { CLIENT_PROPERTIES, type ClientSubject } from './client-properties.ts'
import { type ExamineOptions, examine, type Property, type Terms, termsOf } from './examine.ts'
import type { Report } from './report.ts'
import { tryClient } from './try-client.ts'

export interface ExamineClientOptions extends ExamineOptions {
  /** Default: CLIENT_PROPERTIES. GENERATED_CLIENT_PROPERTIES of `pg-deadline/testing/arbitraries` need fast-check. */
  readonly properties?: readonly Property<ClientSubject>[] | undefined
}

/**
 * Throws if the client cannot connect to the server when nothing is wrong: nothing could be learnt from what comes then.
 *
 * @example
 * const server = { name: 'PostgreSQL', address: { host: '127.0.0.1', port: 5432, user: 'app', password: 'secret', database: 'app' } }
 * console.log(describeReport(await examineClient(client, server)))
 */
export async function examineClient(
  client: ClientAdapter,
  server: ServerAdapter,
  { properties = CLIENT_PROPERTIES, ...options }: ExamineClientOptions = {},
): Promise<Report> {
  const terms = termsOf(options)
  const receivedBytes = await measure(client, server, terms)
  const names = { subject: client.name, against: server.name }
  return examine(names, properties, terms, async () => ({ client, server: server.address, receivedBytes }))
}

async function measure(client: ClientAdapter, { name, address }: ServerAdapter, terms: Terms): Promise<number> {
  const connectTerms = { ...terms, timeoutMs: terms.patienceMs }
  const { ended, error, receivedBytes } = await tryClient(client, address, [], connectTerms)
  if (ended === 'connected') return receivedBytes
  throw new Error(`${client.name} and ${name} do not come together when nothing is wrong: ${error ?? ended}`)
}

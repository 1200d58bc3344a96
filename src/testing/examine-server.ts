/** Examines a server or a pooler: its properties, one after the other, on a fresh one behind each that it did not get over. */
import type { ServerAdapter, ServerAddress } from './adapter.ts'
import { type ExamineOptions, examine, type Property, termsOf } from './examine.ts'
import type { Report } from './report.ts'
import { connectThrough, SERVER_PROPERTIES } from './server-properties.ts'

export interface ExamineServerOptions extends ExamineOptions {
  /** Default: SERVER_PROPERTIES. GENERATED_SERVER_PROPERTIES of `pg-deadline/testing/arbitraries` need fast-check. */
  readonly properties?: readonly Property<ServerAddress>[] | undefined
}

/**
 * Throws if the server does not let in whom it should when nothing is wrong, also after a restart.
 *
 * @example
 * const address = { host: '127.0.0.1', port: 5432, user: 'app', password: 'secret', database: 'app' }
 * console.log(describeReport(await examineServer({ name: 'mine', address })))
 */
export async function examineServer(
  server: ServerAdapter,
  { properties = SERVER_PROPERTIES, ...options }: ExamineServerOptions = {},
): Promise<Report> {
  const terms = termsOf(options)
  const names = { subject: server.name, against: 'messages of its clients' }
  let isProven = false
  return examine(names, properties, terms, async () => {
    let ending = await connectThrough(server.address, [], terms)
    if (ending !== 'connected' && isProven && server.restart !== undefined) {
      await server.restart()
      ending = await connectThrough(server.address, [], terms)
    }
    // What it did not get over was reported with the property before; without a restart the rest is tried all the same.
    if (ending !== 'connected' && (!isProven || server.restart !== undefined)) {
      throw new Error(`${server.name} does not let us in when nothing is wrong: ${ending}`)
    }
    isProven = true
    return server.address
  })
}

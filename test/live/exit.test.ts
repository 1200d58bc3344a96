/** A process that has used the library ends by itself: nothing of ours keeps it alive. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Listener } from '../net/listener.ts'
import { startServer, type TestServer } from '../servers/server.ts'

let server: TestServer
let silent: Listener

beforeAll(async () => {
  server = await startServer({ setup: ["create role app login password 'app'"] })
  silent = await Listener.tcp()
})

afterAll(async () => {
  await silent?.[Symbol.asyncDispose]()
  await server?.stop()
})

/** Runs a program that prints when it has done its work, and nothing more; tells how long it then took to exit. */
async function run(program: string): Promise<{ printed: string; exitCode: number | null; lingeredMs: number }> {
  const library = new URL('../../src/index.ts', import.meta.url).href
  const source = `import { connect, HandshakeError } from ${JSON.stringify(library)}\n${program}`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  let printedAtMs = Number.NaN
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk
    printedAtMs = performance.now()
  })
  const [exitCode] = (await once(child, 'exit')) as [number | null]
  return { printed: printed.trim(), exitCode, lingeredMs: performance.now() - printedAtMs }
}

describe('a process exits by itself', () => {
  it('after it has connected, asked and closed', async () => {
    const { printed, exitCode, lingeredMs } = await run(`
      const session = await connect(${JSON.stringify(server.url({ user: 'app', password: 'app' }))}, { timeoutMs: 60_000 })
      const [result] = await session.query('select 40 + 2', { timeoutMs: 60_000 })
      await session.close({ timeoutMs: 60_000 })
      console.log(result.rows[0][0])`)
    expect({ printed, exitCode }).toEqual({ printed: '42', exitCode: 0 })
    expect(lingeredMs).toBeLessThan(1_000)
  })

  it('after its deadline has passed in front of a silent server', async () => {
    const { printed, exitCode, lingeredMs } = await run(`
      const target = { host: '127.0.0.1', port: ${silent.port}, user: 'app' }
      const error = await connect(target, { timeoutMs: 500, signal: new AbortController().signal }).catch((error) => error)
      console.log(error instanceof HandshakeError, error.name, error.phase)`)
    expect({ printed, exitCode }).toEqual({ printed: 'true TimeoutError AwaitingTlsReply', exitCode: 0 })
    expect(lingeredMs).toBeLessThan(1_000)
  })

  it('after its last query has ended the session', async () => {
    const { printed, exitCode, lingeredMs } = await run(`
      const session = await connect(${JSON.stringify(server.url({ user: 'app', password: 'app' }))})
      const error = await session.query('select pg_sleep(5)', { timeoutMs: 50 }).catch((error) => error)
      console.log(error.name, session.phase)`)
    expect({ printed, exitCode }).toEqual({ printed: 'TimeoutError Failed', exitCode: 0 })
    expect(lingeredMs).toBeLessThan(1_000)
  })
})

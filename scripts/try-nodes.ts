/**
 * Does the packed package run under every Node.js that package.json promises? `npm run try-nodes`, or `npm run try-nodes 22`
 * for one of them. The versions come from npm's `node` package, the server is the tests'.
 */
import { spawn } from 'node:child_process'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startServer } from '../test/servers/server.ts'
import { installPackage, run } from './installation.ts'

/** The oldest of `engines`, then the newest of every major that is maintained. */
const VERSIONS = ['20.19.0', '20', '22', '24', '26']

/** smoke.mjs takes less than a second; what takes this long will not end. */
const LIMIT_MS = 30_000

const [only] = process.argv.slice(2)
const versions = only === undefined ? VERSIONS : [only]
let failures = 0
{
  await using installation = await installPackage()
  await using server = await startServer()
  const program = join(installation.directory, 'smoke.mjs')
  await copyFile(join(import.meta.dirname, 'smoke.mjs'), program)
  for (const version of versions) {
    try {
      const node = (
        await run('npx', ['--yes', `node@${version}`, '-p', 'process.execPath'], installation.directory)
      ).trim()
      console.log(`node ${version.padEnd(7)} ok      ${await smoke(node, program, server.url())}`)
    } catch (error) {
      failures += 1
      console.log(`node ${version.padEnd(7)} FAILED  ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
console.log(`${versions.length - failures} of ${versions.length} versions of Node.js run the package`)
if (failures > 0) process.exitCode = 1

function smoke(node: string, program: string, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [program], {
      env: { SMOKE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
    })
    let printed = ''
    let complained = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complained += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const [version, aborted, late, tookMs] = printed.trim().split(' ')
      if (signal !== null) reject(new Error(`did not exit by itself within ${LIMIT_MS / 1000} s\n${complained}`))
      else if (code !== 0) reject(new Error(`exit code ${code}\n${complained}`))
      else if (tookMs === undefined) reject(new Error(`ended early: ${JSON.stringify(printed)}\n${complained}`))
      else if (complained !== '') reject(new Error(`printed a warning\n${complained}`))
      else
        resolve(`${version}: SCRAM session, AbortError in ${aborted}, TimeoutError in ${late} after ${tookMs} ms, exit`)
    })
  })
}

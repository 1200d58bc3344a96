/** What does a connect cost its own process? Every client in a process of its own, in turn, against the same server. */
import { randomBytes } from 'node:crypto'
import { prove } from '../clients/floor.ts'
import type { ClientId } from '../clients/target.ts'
import type { CpuData } from '../results.ts'
import { Worker } from './worker.ts'
import { openServer, Stack, targetOf, type World } from './world.ts'

const CLIENTS: readonly ClientId[] = [
  'pg-deadline',
  'pg-deadline, cold',
  'pg-deadline, fast',
  'pg',
  'postgres.js',
  'floor',
  'floor, cold',
]

/** So large a young generation that nothing is collected while it is counted. */
const COUNTING = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=256']

export async function measureCpu({ quick, tell }: World): Promise<CpuData> {
  const [warmup, cycles, rounds] = quick ? [5, 3, 2] : [800, 40, 15]
  await using server = await openServer()
  const rows: CpuData['rows'][number][] = []
  let done = 0
  for (const tls of [false, true]) {
    await using all = new Stack()
    const workers = CLIENTS.map((client) => {
      const birth = { client, target: targetOf(server, tls) }
      return {
        client,
        worker: all.use(new Worker(birth)),
        counted: all.use(new Worker(birth, COUNTING)),
        cpuMs: [] as number[],
      }
    })
    const tellDone = () => tell(done++, 2 * (rounds + CLIENTS.length * 2), tls ? 'rounds, TLS' : 'rounds, plain')
    for (const { worker } of workers) {
      tellDone()
      await worker.ask({ do: 'cycles', count: warmup })
    }
    for (let round = 0; round < rounds; round++) {
      tellDone()
      for (const { worker, cpuMs } of workers) {
        const answer = await worker.ask({ do: 'cycles', count: cycles })
        cpuMs.push(answer.cpuMs / cycles)
      }
    }
    for (const { client, counted, cpuMs } of workers) {
      tellDone()
      await counted.ask({ do: 'cycles', count: Math.ceil(warmup / 8) })
      const { allocated } = await counted.ask({ do: 'cycles', count: cycles })
      if (allocated === null) throw new Error(`memory was collected while ${client} was looked at`)
      const { heapBytes, bufferBytes } = allocated
      rows.push({ client, tls, cpuMs, heapBytes: heapBytes / cycles, bufferBytes: bufferBytes / cycles })
    }
  }
  return { warmup, cycles, proofUs: timeProof(), rows }
}

/** Microseconds, once it has been compiled. */
function timeProof(): number {
  const [clientKey, storedKey] = [randomBytes(32), randomBytes(32)]
  const nonce = randomBytes(36).toString('base64')
  const run = (times: number) => {
    const begin = performance.now()
    for (let index = 0; index < times; index++) prove(`r=${nonce},s=AAAA,i=4096`, nonce, { clientKey, storedKey })
    return ((performance.now() - begin) * 1_000) / times
  }
  run(2_000)
  return run(5_000)
}

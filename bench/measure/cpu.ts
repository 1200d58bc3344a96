/** What does a connect cost its own process? Every client in a process of its own, in turn, against the same server. */
import { randomBytes } from 'node:crypto'
import { prove } from '../clients/floor.ts'
import type { ClientId } from '../clients/target.ts'
import type { CpuData } from '../results.ts'
import { Place, Worker } from './worker.ts'
import { CERTIFICATE, openServer, PASSWORD, Stack, targetOf, type World } from './world.ts'

const CLIENTS: readonly ClientId[] = [
  'pg-deadline',
  'pg-deadline, cold',
  'pg-deadline, fast',
  'pg-deadline, file',
  'pg',
  'postgres.js',
  'floor',
  'floor, cold',
]

/** So large a young generation that nothing is collected while it is counted. */
const COUNTING = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=256']

/** PostgreSQL's default for scram_iterations. */
const ITERATIONS = 4_096

const COUNTED_CYCLES = 40

/**
 * A process that is idle, or allocates less than 1 MB a second, is shrunk by V8: compiled code is thrown away, and the young
 * generation goes from 16 MB to 1, which is full after a few connects (heap.cc: ShouldResizeNewSpace). Who waits for his turn is
 * neither.
 */
const BUSY = ['--no-memory-reducer', '--min-semi-space-size=16']

const TURN_CYCLES = 200

export async function measureCpu({ quick, tell }: World): Promise<CpuData> {
  const [warmup, settling, cycles, rounds] = quick ? [100, 5, 3, 2] : [6_000, 80, 40, 15]
  await using server = await openServer()
  await using lean = await Place.leanServer({ password: PASSWORD, iterations: ITERATIONS, ...CERTIFICATE })
  const rows: CpuData['rows'][number][] = []
  let done = 0
  for (const tls of [false, true]) {
    await using all = new Stack()
    // Without TLS nobody is given a certificate authority.
    const clients = CLIENTS.filter((client) => tls || client !== 'pg-deadline, file').map((client) => {
      const birth = { client, target: targetOf(server, tls) }
      const port = tls && client === 'pg-deadline, fast' ? lean.directPort : lean.port
      const at = targetOf({ host: birth.target.host, port }, tls)
      const figures = { cpuMs: [] as number[], leanCpuMs: [] as number[] }
      return { client, birth, at, worker: all.use(new Worker(birth, BUSY)), ...figures }
    })
    // As in any pool: what no session uses any more, V8 forgets as well.
    for (const { worker } of clients) await worker.ask({ do: 'open' })
    const turns = Math.ceil(warmup / TURN_CYCLES)
    const tellDone = () => tell(done++, 2 * (turns + rounds) + 2 * CLIENTS.length - 1, tls ? 'with TLS' : 'plain')
    for (let turn = 0; turn < turns; turn++) {
      tellDone()
      for (const { worker, at } of clients) await worker.ask({ do: 'cycles', count: TURN_CYCLES, at })
    }
    for (let round = 0; round < rounds; round++) {
      for (const { worker, at, leanCpuMs } of clients) {
        const answer = await worker.ask({ do: 'cycles', count: cycles, at })
        leanCpuMs.push(answer.cpuMs / cycles)
      }
    }
    for (let settled = 0; settled < settling; settled += cycles) {
      for (const { worker } of clients) await worker.ask({ do: 'cycles', count: cycles })
    }
    for (let round = 0; round < rounds; round++) {
      tellDone()
      for (const { worker, cpuMs } of clients) {
        const answer = await worker.ask({ do: 'cycles', count: cycles })
        cpuMs.push(answer.cpuMs / cycles)
      }
    }
    for (const { client, birth, at, cpuMs, leanCpuMs } of clients) {
      tellDone()
      await using counted = new Worker(birth, COUNTING)
      await counted.ask({ do: 'cycles', count: TURN_CYCLES, at })
      await counted.ask({ do: 'cycles', count: settling })
      const { allocated } = await counted.ask({ do: 'cycles', count: COUNTED_CYCLES })
      if (allocated === null) throw new Error(`memory was collected while ${client} was looked at`)
      const { heapBytes, bufferBytes } = allocated
      rows.push({
        client,
        tls,
        cpuMs,
        leanCpuMs,
        heapBytes: heapBytes / COUNTED_CYCLES,
        bufferBytes: bufferBytes / COUNTED_CYCLES,
      })
    }
  }
  return { warmup, settling, cycles, proofUs: timeProof(), rows }
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

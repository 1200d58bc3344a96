/** What would have ended the process. The listeners of the test runner are put aside meanwhile. */
import { settle } from './virtual-clock.ts'

export async function uncaughtOf(program: () => Promise<unknown>): Promise<unknown[]> {
  const uncaught: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => uncaught.push(error))
  try {
    await program()
    await settle()
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const other of others) process.on('uncaughtException', other)
  }
  return uncaught
}

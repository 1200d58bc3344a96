/** The way down of a server's process: told to, and in the end made to. */
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalServer } from './home.ts'

const END_MS_MAX = 10_000

export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const { pid } = child
  if (pid === undefined || hasEnded(child)) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.ref()
  signalServer(pid, signal)
  const giveUp = new AbortController()
  const late = sleep(END_MS_MAX, 'late', giveUp).catch(() => 'ended')
  if ((await Promise.race([ended, late])) === 'late') signalServer(pid, 'SIGKILL')
  await ended
  giveUp.abort()
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

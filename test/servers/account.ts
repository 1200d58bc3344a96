/**
 * Whom to be. PostgreSQL refuses to run as root, so root (a container, a CI job) lends its servers another user's account;
 * an ordinary user runs them as itself.
 */
import { execFile } from 'node:child_process'
import { chownSync, readFileSync } from 'node:fs'

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Null for "as ourselves". */
export const ACCOUNT: Account | null = findAccount()

/** Debian keeps poolers where an ordinary user's PATH does not lead. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin`

/**
 * For child processes of a server. The environment is fixed, so that neither the user's locale and time zone nor a PGDATA
 * changes the server; the directory is one that every account can enter.
 */
export const AS_SERVER = {
  ...ACCOUNT,
  cwd: process.platform === 'win32' ? undefined : '/',
  env: process.platform === 'win32' ? process.env : { PATH, LC_ALL: 'C', TZ: 'UTC' },
  windowsHide: true,
}

export function giveToServer(path: string): void {
  if (ACCOUNT !== null) chownSync(path, ACCOUNT.uid, ACCOUNT.gid)
}

/** Runs a program to its end under the server's account; the error carries what it printed. */
export function runAsServer(
  file: string,
  parameters: readonly string[],
  onStart?: (pid: number) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, parameters, AS_SERVER, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${file}: ${(stderr || stdout || error.message).trim()}`, { cause: error }))
    })
    if (child.pid !== undefined) onStart?.(child.pid)
  })
}

function findAccount(): Account | null {
  if (process.getuid?.() !== 0) return null
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const entry = entries.find((fields) => fields[0] === name)
    if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  throw new Error(
    'PostgreSQL does not run as root, and /etc/passwd has neither postgres nor nobody: run as another user',
  )
}

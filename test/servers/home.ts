/**
 * One private temporary directory a process, in which every server of this process lives, and the promise that directory and
 * servers end with the process, however that ends.
 *
 * Two things keep it. A process that exits by itself runs an 'exit' listener, which cleans up before it is gone. One that dies
 * of a signal (Ctrl-C, SIGTERM, kill -9) or crashes runs nothing: a guardian, a few lines of sh that cost some hundred kB,
 * reads a pipe from us, sees it close and does the same a moment later. So no signal handler is installed here, and the
 * application's own signals stay its own. Servers are sessions of their own: a Ctrl-C reaches the application, not them.
 * (On Windows there is no guardian; only an orderly exit cleans up.)
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { ACCOUNT } from './account.ts'

export interface Home {
  readonly directory: string
  /** Makes a directory in it that no other call gets. */
  room(): string
  /** This process ends with ours. `pidFile`, if it keeps one, is gone when it is through with its files. */
  guard(pid: number, pidFile?: string): void
  /** This process has ended: its number may soon be another's. */
  release(pid: number): void
}

let home: Home | null = null

export function openHome(): Home {
  home ??= createHome()
  return home
}

// "+ pid" guards, "- pid" releases, the end of the input means that we are gone. The group is signalled, so that initdb takes
// its child along, and woken up, since a test may have frozen it. Behind the pid may stand a pid file, relative to the home: it
// is gone when the process is through; that is the sign to wait for, as a dead process can keep its number where nobody reaps
// orphans (many containers).
const GUARDIAN = `
trap '' HUP INT TERM QUIT
pids=' '
files=''
while read -r verb pid file; do
  case $verb in
    +) pids="$pids$pid " files="$files $file" ;;
    -) case $pids in *" $pid "*) pids="\${pids%% $pid *} \${pids#* $pid }" ;; esac ;;
  esac
done
at_work() { for file in $files; do [ -e "$file" ] && return 0; done; return 1; }
cd "$1"
for pid in $pids; do kill -s QUIT -- "-$pid"; kill -s CONT -- "-$pid"; done
tries=0
while [ $tries -lt 50 ] && at_work; do sleep 0.1; tries=$((tries + 1)); done
for pid in $pids; do kill -s KILL -- "-$pid"; done
cd /
for try in 1 2 3; do rm -rf -- "$1" && break; sleep 1; done
`

/** A socket's path is limited to 107 bytes (103 on macOS), which some temporary directories use up by themselves. */
const DIRECTORY_LENGTH_BYTES_MAX = 60

function createHome(): Home {
  const directory = mkdtempSync(join(shortTemporaryDirectory(), 'pg-deadline-'))
  // Others may pass through (the server's account, and a test under yet another one), not look around.
  chmodSync(directory, 0o711)
  const guardian = startGuardian(directory)
  const guarded = new Map<number, string | undefined>()
  let rooms = 0

  process.once('exit', () => {
    for (const pid of guarded.keys()) signalServer(pid, 'SIGQUIT')
    waitForFilesToGo([...guarded.values()].filter((file) => file !== undefined))
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 })
    } catch {
      // Something still writes; the guardian, who sees us go in a moment, waits for it.
    }
  })

  return {
    directory,
    room() {
      rooms += 1
      const room = join(directory, String(rooms))
      mkdirSync(room)
      chmodSync(room, 0o755)
      return room
    },
    guard(pid, pidFile) {
      guarded.set(pid, pidFile)
      guardian?.stdin?.write(`+ ${pid} ${pidFile === undefined ? '' : relative(directory, pidFile)}\n`)
    },
    release(pid) {
      guarded.delete(pid)
      guardian?.stdin?.write(`- ${pid}\n`)
    },
  }
}

/** SIGQUIT is PostgreSQL's immediate shutdown: the data is thrown away anyway. A test may have frozen the server. */
export function signalServer(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
    if (process.platform !== 'win32') process.kill(pid, 'SIGCONT')
  } catch {
    // It is gone already.
  }
}

function startGuardian(directory: string): ChildProcess | null {
  if (process.platform === 'win32') return null
  const guardian = spawn('sh', ['-c', GUARDIAN, 'pg-deadline-guardian', directory], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guardian.on('error', () => {}) // No sh: an orderly exit still cleans up.
  guardian.stdin.on('error', () => {})
  guardian.unref()
  // A pipe to a child is a net.Socket, which can be told not to keep the process alive; the type does not say so.
  ;(guardian.stdin as unknown as { unref(): void }).unref()
  return guardian
}

function shortTemporaryDirectory(): string {
  const directory = tmpdir()
  if (process.platform === 'win32') return directory
  return Buffer.byteLength(directory) <= DIRECTORY_LENGTH_BYTES_MAX && isOpenToServer(directory) ? directory : '/tmp'
}

/** Can the server's account pass through it? Only root, who lends its servers another account, has to ask. */
function isOpenToServer(directory: string): boolean {
  if (ACCOUNT === null) return true
  const isOpen = (statSync(directory).mode & 0o001) !== 0
  return isOpen && (dirname(directory) === directory || isOpenToServer(dirname(directory)))
}

/** In an 'exit' listener nothing asynchronous runs any more, so this waits by blocking, for two seconds at most. */
function waitForFilesToGo(files: readonly string[]): void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  for (let turn = 0; turn < 400 && files.some((file) => existsSync(file)); turn += 1) Atomics.wait(cell, 0, 0, 5)
}

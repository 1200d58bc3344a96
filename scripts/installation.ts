/**
 * The package as its users get it: packed, then installed by npm into a directory outside the project, where nothing of the
 * project's own node_modules can help it.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const PROJECT = join(import.meta.dirname, '..')

export interface Installation extends AsyncDisposable {
  /** Of a user's project that has the package among its dependencies. */
  readonly directory: string
  /** Where npm has put the package. */
  readonly packageDirectory: string
}

/** With `companions`, what else the user's project has among its dependencies. */
export async function installPackage(companions: readonly string[] = []): Promise<Installation> {
  const root = await mkdtemp(join(tmpdir(), 'packed-'))
  const remove = () => rm(root, { recursive: true, force: true })
  try {
    await run('npm', ['pack', '--pack-destination', root], PROJECT)
    const [tarball] = await readdir(root)
    if (tarball === undefined) throw new Error('npm pack has written no tarball')
    const directory = join(root, 'user')
    await mkdir(directory)
    await writeFile(join(directory, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n')
    await run(
      'npm',
      ['install', '--prefix', directory, '--no-audit', '--no-fund', join(root, tarball), ...companions],
      directory,
    )
    return {
      directory,
      packageDirectory: join(directory, 'node_modules', 'pg-deadline'),
      [Symbol.asyncDispose]: remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** What a program prints; if it fails, an error with all that it printed. */
export async function run(file: string, parameters: readonly string[], directory: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(file, parameters, { cwd: directory, maxBuffer: 2 ** 26 })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${[file, ...parameters].join(' ')} failed:\n${stdout ?? ''}${stderr || String(error)}`, {
      cause: error,
    })
  }
}

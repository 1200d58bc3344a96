import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LastLine } from './test/reporter.ts'

/** The examples import us as a user does; here that means the sources, since nothing need be built for a test. */
const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: {
      'pg-deadline/testing/arbitraries': source('testing/arbitraries/index.ts'),
      'pg-deadline/testing': source('testing/index.ts'),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // A process a file: what one file leaves open (a socket, a server, a signal handler) is not the next one's.
    pool: 'forks',
    maxWorkers: 2,
    // For tests with real servers; everything else runs on a virtual clock and takes milliseconds.
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // What polls waits for something that must come; how soon is for the tests that measure it to say.
    expect: { poll: { timeout: 5_000 } },
    reporters: ['default', new LastLine()],
    coverage: {
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.d.ts'],
      reporter: ['text', 'json-summary'],
      thresholds: {
        'src/protocol/**': { branches: 100 },
        'src/auth/**': { branches: 100 },
        'src/state/**': { branches: 100 },
      },
    },
  },
})

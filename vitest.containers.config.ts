/**
 * Live tests whose servers run in containers: `npm run test:containers`, with Docker or Podman at hand. The same tests as in
 * `npm test`: what is tried here is that the container is as good a server as any.
 */
import { defineConfig } from 'vitest/config'
import { LastLine } from './test/reporter.ts'

export default defineConfig({
  test: {
    include: ['methods', 'session', 'protocol', 'invariant', 'tls-modes', 'tls-certificates'].map(
      (name) => `test/live/${name}.test.ts`,
    ),
    env: { PG_DEADLINE_PROVIDER: 'testcontainers' },
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 5_000 } },
    reporters: ['default', new LastLine()],
  },
})

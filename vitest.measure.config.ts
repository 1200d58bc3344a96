/** For measurements that take a process each, and so longer than anybody waits for `npm test`: `npm run measure`. */
import { defineConfig } from 'vitest/config'
import { LastLine } from './test/reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.measure.ts'],
    pool: 'forks',
    maxWorkers: 1,
    hookTimeout: 60_000,
    reporters: ['default', new LastLine()],
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    coverage: { include: ['src/**/*.ts'], exclude: ['src/**/*.d.ts'], reporter: ['text', 'json-summary'] },
  },
})

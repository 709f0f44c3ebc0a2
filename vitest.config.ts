import { defineConfig } from 'vitest/config'

const pool = 'forks'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          pool,
          include: ['test/**/*.test.ts'],
          exclude: ['test/broker/**', 'test/end-to-end/**'],
        },
      },
      {
        test: {
          name: 'broker',
          pool,
          include: ['test/broker/**/*.test.ts', 'test/end-to-end/**/*.test.ts'],
          globalSetup: ['test/broker/setup.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

import { defineConfig } from 'vitest/config'

const pool = 'forks'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          pool,
          sequence: { groupOrder: 0 },
          include: ['test/**/*.test.ts'],
          exclude: ['test/broker/**', 'test/end-to-end/**', 'test/faults/faults.test.ts'],
        },
      },
      {
        test: {
          name: 'broker',
          pool,
          // After the others: two brokers' worth of work beside them would disturb both.
          sequence: { groupOrder: 1 },
          include: ['test/broker/**/*.test.ts', 'test/end-to-end/**/*.test.ts', 'test/faults/faults.test.ts'],
          globalSetup: ['test/broker/setup.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

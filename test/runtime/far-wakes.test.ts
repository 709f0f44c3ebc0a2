import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Operator, Wake } from '../../services/domain/operator.ts'
import { storedWakes } from '../../services/runtime/memory.ts'
import { memoryStore } from '../../services/runtime/store/memory.ts'
import type { Store } from '../../services/runtime/store/store.ts'
import { createTurns, newProgress, type Progress, type Turns } from '../../services/runtime/turns.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`runtime/far-wakes seed ${seed}`)

/** A record that sets wakes and moves event time. */
interface Line {
  readonly wakes: readonly Wake[]
  readonly rise: number
  readonly restart: boolean
}

const line: fc.Arbitrary<Line> = fc.record({
  wakes: fc.array(
    fc.record({ at: fc.nat({ max: 300 }), key: fc.constantFrom('a', 'b', 'é', '\u{1f600}', '\uffff') }),
    {
      maxLength: 12,
    },
  ),
  rise: fc.oneof(fc.constant(0), fc.nat({ max: 20 }), fc.nat({ max: 120 })),
  restart: fc.boolean(),
})

/** Says which wakes have come; every third asks for another one. */
const alarm: Operator<Line> = {
  turn: (_, { wakes, rise }, { watermark }) => {
    return { verdict: 'applied', wake: wakes, watermark: Math.max(0, watermark) + rise }
  },
  wake: (_, { at, key }) => ({
    verdict: 'applied',
    emit: [{ to: 'alarms', key, value: { at } }],
    wake: at % 3 === 0 ? [{ at: at + 40, key }] : [],
  }),
}

it('wakes that wait in the store come as those that wait in memory do, in the same order and once', async () => {
  const seen = { loads: 0, restarts: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 25 }), async (lines) => {
      const calm = await run(lines, undefined, seen)
      expect(await run(lines, 3, seen)).toEqual(calm)
    }),
    { seed, numRuns: 200 },
  )
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(200)
}, 30_000)

/** What the alarms said, with at most about `limit` wakes in memory. */
async function run(
  lines: readonly Line[],
  limit: number | undefined,
  seen: { loads: number; restarts: number },
) {
  const store = memoryStore()
  const said: string[] = []
  let turns = await open(store, newProgress(1), limit)

  async function commit(): Promise<void> {
    const { outgoing, changes } = turns.freeze()
    for (const { key, value } of outgoing) said.push(`${value['at']} ${key}`)
    const bytes = [...changes].map(
      ([key, value]) => [key, value && Buffer.from(JSON.stringify(value))] as const,
    )
    await store.apply(
      bytes.map(([key, value]) => [key, value === false ? undefined : (value as Buffer | undefined)]),
    )
    if (turns.full) seen.loads += 1
    await turns.load()
  }

  for (const [offset, record] of lines.entries()) {
    const place = { topic: 'in', partition: 0, offset, timestamp: 0 }
    while (!turns.prepare({ kind: 'source', record, place })) await commit()
    turns.apply({ kind: 'source', record, place })
    if (limit === undefined || !record.restart) continue
    await commit()
    seen.restarts += 1
    turns = await open(store, turns.progress, limit)
  }
  while (!turns.end()) await commit()
  await commit()
  expect(await store.keys('')).toEqual([])
  return said
}

async function open(store: Store, progress: Progress, limit: number | undefined): Promise<Turns<Line>> {
  const wakeKeys = limit === undefined ? [] : await storedWakes(store, limit)
  const bounded = limit === undefined ? {} : { limit: 4 }
  const task = { writer: 'stage/in/0', operator: alarm, store, progress, timekeepers: [], delayMs: 0 }
  return createTurns({ ...task, wakeKeys, ...bounded })
}

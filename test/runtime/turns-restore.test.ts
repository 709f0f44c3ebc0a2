import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Data, Operator } from '../../services/domain/operator.ts'
import { recordCodec } from '../../services/runtime/codec/avro.ts'
import { storedWakes } from '../../services/runtime/memory.ts'
import { memoryStore } from '../../services/runtime/store/memory.ts'
import type { Store } from '../../services/runtime/store/store.ts'
import {
  createTurns,
  type Input,
  newProgress,
  type Outgoing,
  type Progress,
  type Turns,
  wakeKeysOf,
} from '../../services/runtime/turns.ts'
import { checkpointOf, progressOf } from '../../services/runtime/wire.ts'
import { origin } from './scripted.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
console.log(`runtime/turns-restore seed ${seed}`)

interface Line {
  readonly from: 'a' | 'b'
  readonly kind: 'record' | 'repeat' | 'mark' | 'idle'
  readonly key: string
  /** How far this writer's watermark rises. */
  readonly rise: number
  /** A wake so long after the watermark; null for none. */
  readonly wakeIn: number | null
  /** What happens to the task after this line. */
  readonly after: 'nothing' | 'commit' | 'restart' | 'crash'
}

const line: fc.Arbitrary<Line> = fc.record({
  from: fc.constantFrom('a', 'b'),
  kind: fc.constantFrom('record', 'record', 'record', 'repeat', 'mark', 'idle'),
  key: fc.constantFrom('x', 'y', 'z'),
  rise: fc.integer({ min: 0, max: 12 }),
  wakeIn: fc.option(fc.integer({ min: -3, max: 15 })),
  after: fc.constantFrom('nothing', 'commit', 'restart', 'crash'),
})

/** Counts per key, says so, and forgets a key when its wake comes; a wake of an odd count asks for another one. */
const counter: Operator<Line> = {
  turn(state, { key, wakeIn }, { watermark }) {
    const n = ((state.get(key) as number | undefined) ?? 0) + 1
    return {
      verdict: n % 4 === 0 ? 'late' : 'applied',
      put: [[key, n]],
      emit: [{ to: 'counts', key, value: { n } }],
      wake: wakeIn === null ? [] : [{ at: Math.max(0, watermark) + wakeIn, key }],
    }
  },
  wake(state, { at, key }, watermark) {
    const n = (state.get(key) as number | undefined) ?? null
    const again = n !== null && n % 2 === 1
    return {
      verdict: 'applied',
      put: [[key, again ? n + 1 : undefined]],
      emit: [{ to: 'wakes', key, value: { n, reached: Math.min(watermark, at) } }],
      wake: again ? [{ at: at + 2, key }] : [],
    }
  },
}

it('a task that stops or dies anywhere, and goes on from its last commit, writes what an undisturbed one writes', async () => {
  const seen = { restarts: 0, wakes: 0, repeats: 0, interrupted: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 40 }), async (lines) => {
      const inputs = inputsOf(lines)
      const calm = await run(
        inputs,
        lines.map(() => 'nothing'),
        Number.POSITIVE_INFINITY,
      )
      const disturbed = await run(
        inputs,
        lines.map(({ after }) => after),
        1,
      )
      expect(disturbed.written).toEqual(calm.written)
      expect(disturbed.state).toEqual(calm.state)
      expect(disturbed.progress).toEqual(calm.progress)
      seen.restarts += disturbed.restarts
      seen.interrupted += disturbed.interrupted
      seen.wakes += calm.written.filter(({ output }) => output === 'wakes').length
      seen.repeats += lines.filter(({ kind }) => kind === 'repeat').length
    }),
    { seed, numRuns: 200 },
  )
  // The property says something only if these happen.
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(100)
}, 30_000)

/** The journal as two writers made it: each counts its records, and its watermark rises. */
function inputsOf(lines: readonly Line[]): Input<Line>[] {
  const heads = { a: { index: 0, watermark: 0 }, b: { index: 0, watermark: 0 } }
  return lines.map((record, offset) => {
    const head = heads[record.from]
    head.watermark += record.rise
    if (record.kind === 'record') head.index += 1
    const { index, watermark } = head
    const common = { place: { topic: 'journal', partition: 0, offset, timestamp: 0 }, watermark }
    if (record.kind === 'mark' || record.kind === 'idle')
      return { ...common, kind: 'mark', origin: origin(record.from, index), idle: record.kind === 'idle' }
    return { ...common, kind: 'internal', record, origin: origin(record.from, Math.max(1, index)) }
  })
}

interface Life {
  readonly written: Outgoing[]
  readonly state: Record<string, string>
  readonly progress: Progress
  readonly restarts: number
  /** How often wakes waited for a commit. */
  readonly interrupted: number
}

async function run(
  inputs: readonly Input<Line>[],
  after: readonly Line['after'][],
  limit: number,
): Promise<Life> {
  const store = memoryStore()
  const written: Outgoing[] = []
  let checkpoint: Uint8Array | undefined
  let restarts = 0
  let interrupted = 0
  let turns = await open(store, checkpoint, limit)
  const commit = async () => {
    const { outgoing, changes } = turns.freeze()
    written.push(...outgoing)
    await store.apply([...changes].map(([key, value]) => [key, bytesOf(value)] as const))
    checkpoint = encoded(turns.progress)
    await turns.load()
  }
  // A crash sends the task back to its last commit; each line disturbs it once only.
  const disturbed = new Set<number>()
  while (turns.progress.position < inputs.length) {
    const at = turns.progress.position
    if (!turns.prepare(inputs[at]!)) {
      await commit()
      interrupted += 1
      if (interrupted % 3 === 0) turns = await open(store, checkpoint, limit)
      continue
    }
    turns.apply(inputs[at]!)
    const what = disturbed.has(at) ? 'nothing' : after[at]!
    disturbed.add(at)
    if (what === 'commit' || what === 'restart') await commit()
    if (what === 'restart' || what === 'crash') {
      turns = await open(store, checkpoint, limit)
      restarts += 1
    }
  }
  while (!turns.end()) await commit()
  await commit()
  const keys = await store.keys('')
  const state = Object.fromEntries(keys.map((key) => [key, store.get(key)!.toString()]))
  return { written, state, progress: turns.progress, restarts, interrupted }
}

async function open(store: Store, checkpoint: Uint8Array | undefined, limit: number): Promise<Turns<Line>> {
  return createTurns({
    writer: 'stage/journal/0',
    operator: counter,
    store,
    progress: checkpoint === undefined ? newProgress(7) : decoded(checkpoint),
    wakeKeys: Number.isFinite(limit) ? await storedWakes(store, 2 * limit) : await wakeKeysOf(store),
    timekeepers: ['a', 'b'],
    delayMs: 1,
    limit,
  })
}

/** Through the bytes that the changelog keeps. */
function encoded(progress: Progress): Uint8Array {
  return recordCodec('ChangelogEntry').encode({ value: null, checkpoint: checkpointOf(progress, 'hash') }, 1)
}

function decoded(bytes: Uint8Array): Progress {
  return progressOf(recordCodec('ChangelogEntry').decode(bytes).checkpoint!)
}

function bytesOf(value: Data | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(JSON.stringify(value))
}

import type { EventTime, Operator, Turn, Wake } from '../../services/domain/operator.ts'
import { memoryStore } from '../../services/runtime/store/memory.ts'
import {
  createTurns,
  type Input,
  newProgress,
  type Origin,
  type Turns,
  type TurnsOptions,
} from '../../services/runtime/turns.ts'

/** A record that is its own turn: what the operator is to do with it. */
export interface Script extends Partial<Turn> {
  readonly name: string
  /** Thrown instead of a turn. */
  readonly fail?: unknown
}

export interface Scripted {
  readonly operator: Operator<Script>
  /** What the operator was called with, in order: `name@watermark` for records, `!key at@watermark` for wakes. */
  readonly calls: string[]
}

/** An operator that does what its records say, and notes when it was called. */
export function scripted(onWake: (wake: Wake, watermark: EventTime) => Script = () => idle): Scripted {
  const calls: string[] = []
  const done = ({ fail, name: _, ...turn }: Script): Turn => {
    if (fail !== undefined) throw fail
    return { verdict: 'applied', ...turn }
  }
  return {
    calls,
    operator: {
      turn: (_, script, { watermark }) => {
        calls.push(`${script.name}@${watermark}`)
        return done(script)
      },
      wake: (_, wake, watermark) => {
        calls.push(`!${wake.key} ${wake.at}@${watermark}`)
        return done(onWake(wake, watermark))
      },
    },
  }
}

const idle: Script = { name: 'idle' }

export const writer = 'stage/journal/0'

/** Turns over an empty store that read an internal journal written by `a`. */
export function turnsOf<In>(
  operator: Operator<In>,
  options: Partial<TurnsOptions<In>> = {},
): Turns<In> & { readonly input: Inputs<In> } {
  const turns = createTurns({
    writer,
    operator,
    store: memoryStore(),
    progress: newProgress(7),
    wakeKeys: [],
    timekeepers: ['a'],
    delayMs: 0,
    ...options,
  })
  return Object.assign(turns, { input: inputsFor(turns) })
}

/** Inputs of turns, each at the next offset. */
export interface Inputs<In> {
  record(from: string, index: number, watermark: EventTime, record: In, incarnation?: number): string
  mark(from: string, watermark: EventTime, more?: { idle?: boolean; incarnation?: number }): string
  source(record: In): string
}

function inputsFor<In>(turns: Turns<In>): Inputs<In> {
  const place = () => ({ topic: 'journal', partition: 0, offset: turns.progress.position, timestamp: 0 })
  const apply = (input: Input<In>) => turns.apply(input)
  return {
    record: (from, index, watermark, record, incarnation = 1) =>
      apply({
        kind: 'internal',
        record,
        place: place(),
        origin: origin(from, index, incarnation),
        watermark,
      }),
    mark(from, watermark, { idle = false, incarnation = 1 } = {}) {
      // A mark bears the index of its writer's last record.
      const index = turns.progress.upstreams.get(from)?.index ?? 0
      return apply({
        kind: 'mark',
        place: place(),
        origin: origin(from, index, incarnation),
        watermark,
        idle,
      })
    },
    source: (record) => apply({ kind: 'source', record, place: place() }),
  }
}

export function origin(from: string, index: number, incarnation = 1): Origin {
  return { writer: from, incarnation, offset: 0, index, time: 0 }
}

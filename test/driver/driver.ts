import type { EventTime, Operator } from '../../services/domain/operator.ts'
import type { Store } from '../../services/runtime/store/store.ts'
import {
  createTurns,
  newProgress,
  type Origin,
  type Outgoing,
  type Progress,
} from '../../services/runtime/turns.ts'
import type { Upstream } from '../../services/runtime/upstreams.ts'
import { wakePrefix } from '../../services/runtime/wakes.ts'

export interface TaskOptions<In> {
  readonly writer: string
  readonly operator: Operator<In>
  /** The writers of its input; empty for a user's topic. */
  readonly upstreams: readonly string[]
}

/** One task in memory, run by the runtime's own turn-taking; it commits after every record. */
export interface Task<In> {
  readonly progress: Progress
  /** A record of a user's topic. */
  source(
    record: In,
    place: { topic: string; partition: number; offset: number; timestamp: number },
  ): Outgoing[]
  /** A record that another task wrote. */
  internal(record: In & Stamped): Outgoing[]
  mark(writer: string, watermark: EventTime): Outgoing[]
  end(): Outgoing[]
  /** Everything that a restart finds, as text. */
  saved(): string
  /** Keys of the state, timers left out. */
  keys(): string[]
}

/** What the runtime adds to every internal record. */
export interface Stamped {
  readonly origin: Origin
  readonly watermark: EventTime
}

/** Starts a task anew, or from what {@link Task.saved} gave. */
export function startTask<In>(options: TaskOptions<In>, saved?: string): Task<In> {
  const { progress, entries } = saved === undefined ? fresh() : restore(saved)
  const store: Store = {
    get: (key) => entries.get(key),
    keys: async () => [...entries.keys()],
    apply: async () => {},
    damage: undefined,
    pendingBytes: 0,
    check: async () => undefined,
    clear: async () => entries.clear(),
    close: async () => {},
  }
  const wakeKeys = [...entries.keys()].filter((key) => key.startsWith(wakePrefix)).sort()
  const { writer, operator, upstreams } = options
  const turns = createTurns({
    writer,
    operator,
    store,
    progress,
    wakeKeys,
    timekeepers: upstreams,
    delayMs: 0,
  })

  function commit(): Outgoing[] {
    const { outgoing, changes } = turns.freeze()
    for (const [key, value] of changes) {
      if (value === undefined) entries.delete(key)
      else entries.set(key, Buffer.from(JSON.stringify(value)))
    }
    return [...outgoing]
  }
  const place = () => ({ topic: 'journal', partition: 0, offset: progress.position, timestamp: 0 })

  return {
    progress,
    source(record, place) {
      turns.apply({ kind: 'source', record, place })
      return commit()
    },
    internal(record) {
      const { origin, watermark } = record
      turns.apply({ kind: 'internal', record, place: place(), origin, watermark })
      return commit()
    },
    mark(upstream, watermark) {
      // A mark bears the index of its writer's last record.
      const index = progress.upstreams.get(upstream)?.index ?? 0
      const origin = { writer: upstream, incarnation: 1, offset: -1, index, time: 0 }
      turns.apply({ kind: 'mark', place: place(), origin, watermark, idle: false })
      return commit()
    },
    end() {
      turns.end()
      return commit()
    },
    saved: () => save(progress, entries),
    keys: () => [...entries.keys()].filter((key) => !key.startsWith(wakePrefix)),
  }
}

function fresh(): { progress: Progress; entries: Map<string, Buffer> } {
  return { progress: newProgress(1), entries: new Map() }
}

function save(progress: Progress, entries: Map<string, Buffer>): string {
  const texts = [...entries].map(([key, value]) => [key, value.toString('utf8')])
  return JSON.stringify({ progress: { ...progress, upstreams: [...progress.upstreams] }, texts })
}

function restore(saved: string): { progress: Progress; entries: Map<string, Buffer> } {
  const { progress, texts } = JSON.parse(saved) as {
    progress: Omit<Progress, 'upstreams'> & { upstreams: [string, Upstream][] }
    texts: [string, string][]
  }
  return {
    progress: { ...progress, upstreams: new Map(progress.upstreams) },
    entries: new Map(texts.map(([key, text]) => [key, Buffer.from(text)])),
  }
}

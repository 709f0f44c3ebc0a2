import type {
  Data,
  Emission,
  EventTime,
  Operator,
  Place,
  Verdict,
  Wake,
} from '../../../services/domain/operator.ts'
import { beforeTime, endOfTime } from '../../../services/domain/operator.ts'

/** An operator over a plain map, driven as the runtime drives it: watermark, due wakes in order, then the turn. */
export const taskOf = <In>(operator: Operator<In>) => {
  const state = new Map<string, Data>()
  const wakes = new Map<string, Wake>()
  const emitted: (Emission & { watermark: EventTime })[] = []
  const verdicts: Verdict[] = []
  let watermark = beforeTime

  const apply = (turn: ReturnType<Operator<In>['turn']>, at: EventTime) => {
    const keys = (turn.put ?? []).map(([key]) => key)
    if (new Set(keys).size !== keys.length) throw new Error('a turn put a key twice')
    for (const [key, value] of turn.put ?? []) {
      if (value === undefined) state.delete(key)
      else state.set(key, JSON.parse(JSON.stringify(value)))
    }
    for (const wake of turn.wake ?? []) wakes.set(`${wake.at} ${wake.key}`, wake)
    for (const emission of turn.emit ?? []) emitted.push({ ...emission, watermark: at })
  }
  const due = () =>
    [...wakes.entries()]
      .filter(([, wake]) => wake.at <= watermark)
      .sort(([, a], [, b]) => a.at - b.at || (a.key < b.key ? -1 : 1))[0]

  const advance = (to: EventTime) => {
    watermark = Math.max(watermark, to)
    for (let next = due(); next !== undefined; next = due()) {
      wakes.delete(next[0])
      apply(operator.wake!(state, next[1], watermark), Math.min(watermark, next[1].at))
    }
  }
  return {
    state,
    wakes,
    emitted,
    verdicts,
    advance,
    end: () => advance(endOfTime),
    take: (record: In, topic: string, to: EventTime = watermark) => {
      advance(to)
      const place: Place = { topic, partition: 0, offset: 0, timestamp: 0, watermark }
      const turn = operator.turn(state, record, place)
      verdicts.push(turn.verdict)
      apply(turn, watermark)
    },
  }
}

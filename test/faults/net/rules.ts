import { seeded } from '../../domain/report/random.ts'
import { type ApiName, apis } from './frames.ts'

/** What is done to frames between a client and a broker. Of several rules that fit a frame the oldest is taken. */
export interface Rule {
  readonly api: ApiName | 'any'
  readonly side: 'request' | 'answer'
  /**
   * delay: the frame, and all behind it on its connection, waits `ms`. hold: the same until `release()`; both are
   * still delivered when the client has gone away meanwhile.
   * drop: never delivered, and the socket stays open. reset: not delivered, and both ends see a reset.
   * cut: half of the frame is delivered, then both ends see a reset.
   * half-close: from here on no answer of the connection is delivered; requests still arrive.
   */
  readonly action: 'delay' | 'hold' | 'drop' | 'reset' | 'cut' | 'half-close'
  /** For delay. */
  readonly ms?: number
  /** The share of fitting frames that is taken, 0 to 1; all unless told. */
  readonly share?: number
  /** After so many hits the rule is over. */
  readonly times?: number
  /** Of the choice that `share` makes. */
  readonly seed?: number
  /** Only the connections to this broker. */
  readonly node?: number
  /** Only the connections of clients with this client id. */
  readonly client?: string
}

/** A rule in force. */
export interface Handle {
  /** Frames that the rule was applied to. */
  readonly hits: number
  /** Resolves when there are so many. */
  reached(hits: number): Promise<void>
  /** Lets go what `hold` holds; the rule stays. */
  release(): void
  /** Ends the rule and lets go what it holds. */
  remove(): void
}

/** A frame as rules see it. */
export interface FrameFacts {
  readonly apiKey: number
  readonly side: Rule['side']
  readonly node: number
  readonly client: string
  readonly sizeBytes: number
}

/** What a connection does with a frame. */
export type Treatment =
  | { readonly kind: 'pass' | 'drop' | 'reset' | 'half-close' }
  | { readonly kind: 'wait'; readonly gate: Gate }
  | { readonly kind: 'cut'; leftBytes: number }

export const pass: Treatment = { kind: 'pass' }
export const drop: Treatment = { kind: 'drop' }

export interface Gate {
  readonly isOpen: boolean
  open(): void
  /** Called once, when the gate opens. */
  onOpen(then: () => void): void
}

/** All rules of a net, and how many frames they touched. */
export interface RuleBook {
  add(rule: Rule): Handle
  treat(frame: FrameFacts): Treatment
  /** A frame that went away because of an earlier hit. */
  touch(): void
  readonly touched: number
}

interface Entry {
  readonly rule: Rule
  readonly random: () => number
  readonly gates: Set<Gate>
  readonly waiting: Set<{ hits: number; resolve: () => void }>
  hits: number
}

export function createRuleBook(): RuleBook {
  const entries = new Set<Entry>()
  let touched = 0
  return {
    get touched() {
      return touched
    },
    touch() {
      touched += 1
    },
    add(rule) {
      const entry = {
        rule,
        random: seeded(rule.seed ?? 1),
        gates: new Set<Gate>(),
        waiting: new Set<never>(),
        hits: 0,
      }
      entries.add(entry)
      return handleOf(entry, () => entries.delete(entry))
    },
    treat(frame) {
      if (entries.size === 0) return pass
      for (const entry of entries) {
        if (!fits(entry, frame)) continue
        touched += 1
        return hit(entry, frame)
      }
      return pass
    },
  }
}

function handleOf(entry: Entry, end: () => void): Handle {
  const release = () => {
    for (const gate of [...entry.gates]) gate.open()
  }
  return {
    get hits() {
      return entry.hits
    },
    reached: (hits) =>
      new Promise((resolve) => {
        if (entry.hits >= hits) resolve()
        else entry.waiting.add({ hits, resolve })
      }),
    release,
    remove() {
      end()
      release()
    },
  }
}

function fits({ rule, random, hits }: Entry, frame: FrameFacts): boolean {
  return (
    hits < (rule.times ?? Number.POSITIVE_INFINITY) &&
    rule.side === frame.side &&
    (rule.api === 'any' || apis[rule.api] === frame.apiKey) &&
    (rule.node === undefined || rule.node === frame.node) &&
    (rule.client === undefined || rule.client === frame.client) &&
    (rule.share === undefined || random() < rule.share)
  )
}

function hit(entry: Entry, frame: FrameFacts): Treatment {
  entry.hits += 1
  for (const waiter of entry.waiting) {
    if (entry.hits < waiter.hits) continue
    entry.waiting.delete(waiter)
    waiter.resolve()
  }
  const { action, ms = 0 } = entry.rule
  switch (action) {
    case 'delay':
      return { kind: 'wait', gate: newGate(ms) }
    case 'hold': {
      const gate = newGate()
      entry.gates.add(gate)
      gate.onOpen(() => entry.gates.delete(gate))
      return { kind: 'wait', gate }
    }
    case 'cut':
      return { kind: 'cut', leftBytes: Math.floor(frame.sizeBytes / 2) }
    default:
      return { kind: action }
  }
}

function newGate(ms?: number): Gate {
  let isOpen = false
  const waiting: (() => void)[] = []
  const gate: Gate = {
    get isOpen() {
      return isOpen
    },
    open() {
      if (isOpen) return
      isOpen = true
      for (const then of waiting) then()
    },
    onOpen: (then) => {
      waiting.push(then)
    },
  }
  if (ms !== undefined) setTimeout(gate.open, ms).unref()
  return gate
}

import type { Draft } from './draft.ts'

/**
 * Counts of one feature in one segment for one model, as they travel in a pane. Tallies add up cell by cell;
 * a missing cell is zero. Late records and dead letters use the same shape: topic, stage/reason, no model.
 */
export interface Tally {
  readonly feature: string
  readonly segment: string
  readonly model: string
  readonly cells: readonly number[]
}

export type TallyName = Omit<Tally, 'cells'>

/**
 * Tallies are kept under a scope (a pane, or a window and a kind): one small value each, numbered in the order
 * of their first count, and a look-up from name to number. Nothing in the state grows with the rows.
 */
export const addTally = (draft: Draft, scope: string, name: TallyName, cells: readonly number[]): void => {
  const nameKey = keyOfName(scope, name)
  let slot = draft.get(nameKey) as number | undefined
  if (slot === undefined) {
    slot = sizeOf(draft, scope)
    draft.put(nameKey, slot)
    draft.put(sizeKey(scope), slot + 1)
  }
  const slotKey = keyOfSlot(scope, slot)
  const before = draft.get(slotKey) as unknown as Tally | undefined
  const { feature, segment, model } = name
  draft.put(slotKey, { feature, segment, model, cells: addCells(before?.cells ?? [], cells) })
}

/** One row in one cell. */
export const addRow = (draft: Draft, scope: string, name: TallyName, cell: number, by = 1): void => {
  if (!Number.isInteger(cell) || cell < 0) return
  const cells = new Array<number>(cell + 1).fill(0)
  cells[cell] = by
  addTally(draft, scope, name, cells)
}

/** All tallies of a scope by model, segment and feature, whatever order they were counted in. */
export const readTallies = (draft: Draft, scope: string): Tally[] => {
  const tallies: Tally[] = []
  for (let slot = 0; slot < sizeOf(draft, scope); slot++) {
    tallies.push(draft.get(keyOfSlot(scope, slot)) as unknown as Tally)
  }
  return tallies.sort(byName)
}

export const removeTallies = (draft: Draft, scope: string): void => {
  const size = sizeOf(draft, scope)
  for (let slot = 0; slot < size; slot++) {
    const tally = draft.get(keyOfSlot(scope, slot)) as unknown as Tally
    draft.put(keyOfName(scope, tally), undefined)
    draft.put(keyOfSlot(scope, slot), undefined)
  }
  draft.put(sizeKey(scope), undefined)
}

export const addCells = (a: readonly number[], b: readonly number[]): number[] => {
  const cells = new Array<number>(Math.max(a.length, b.length))
  for (let k = 0; k < cells.length; k++) cells[k] = (a[k] ?? 0) + (b[k] ?? 0)
  return cells
}

const byName = (a: Tally, b: Tally): number =>
  compare(a.model, b.model) || compare(a.segment, b.segment) || compare(a.feature, b.feature)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const sizeOf = (draft: Draft, scope: string): number => (draft.get(sizeKey(scope)) as number | undefined) ?? 0

const sizeKey = (scope: string): string => `${scope}/size`

const keyOfSlot = (scope: string, slot: number): string => `${scope}/tally/${slot}`

const keyOfName = (scope: string, name: TallyName): string =>
  `${scope}/name/${JSON.stringify([name.feature, name.segment, name.model])}`

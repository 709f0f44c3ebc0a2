import { DefinitionError } from '../../services/domain/definition-error.ts'

/** Refuses a definition with one line that begins with the name of the part at fault. */
export function demand(holds: boolean, what: string, problem: string): asserts holds {
  if (!holds) throw new DefinitionError(`${what}: ${problem}`)
}

/** A name that is safe as a property, an Avro name and a word in a message. */
export function demandName(name: string, what: string): void {
  demand(
    /^[A-Za-z][A-Za-z0-9_]*$/.test(name),
    what,
    `"${name}" is no name: letters, digits and _ only, a letter first`,
  )
}

export function demandShare(value: number, what: string): void {
  demand(Number.isFinite(value) && value >= 0 && value <= 1, what, `${value} is not between 0 and 1`)
}

export function demandWhole(value: number, what: string): void {
  demand(Number.isSafeInteger(value) && value >= 1, what, `${value} is not a whole number from 1 on`)
}

export function demandOwner(owner: unknown, what: string): void {
  demand(typeof owner === 'string' && owner.trim() !== '', what, 'has no owner')
}

/** A record with its keys in order, so that nothing downstream can depend on the order of declaration. */
export function sortedRecord<Item>(
  entries: Iterable<readonly [string, Item]>,
): Readonly<Record<string, Item>> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function sortedSet(items: readonly string[]): readonly string[] {
  return [...new Set(items)].sort()
}

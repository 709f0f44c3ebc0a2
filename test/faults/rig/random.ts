/** Numbers out of a seed: the same seed and name give the same numbers, whatever else is drawn. */
export interface Random {
  /** From 0 up to, but not, 1. */
  share(): number
  /** A whole number from 0 to limit − 1. */
  below(limit: number): number
  between(least: number, most: number): number
  pick<T>(items: readonly T[]): T
  chance(share: number): boolean
}

export function randomOf(seed: number, name: string): Random {
  let state = seed >>> 0
  for (const char of name) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193) >>> 0
  const share = (): number => {
    // Mulberry32: 32 bits of state, good enough to choose faults by.
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    share,
    below: (limit) => Math.floor(share() * limit),
    between: (least, most) => least + share() * (most - least),
    pick: (items) => items[Math.floor(share() * items.length)]!,
    chance: (wanted) => share() < wanted,
  }
}

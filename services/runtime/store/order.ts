/** Compares strings as their UTF-8 bytes compare, which is LevelDB's order and not quite JavaScript's. */
export function byBytes(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at += 1) {
    const a = left.charCodeAt(at)
    const b = right.charCodeAt(at)
    if (a !== b) return rank(a) - rank(b)
  }
  return left.length - right.length
}

/** Merges two lists that are in byte order and have no key in common. */
export function merged(left: readonly string[], right: readonly string[]): string[] {
  const all: string[] = []
  let at = 0
  for (const key of right) {
    while (at < left.length && byBytes(left[at]!, key) < 0) all.push(left[at++]!)
    all.push(key)
  }
  return at === 0 ? all.concat(left) : all.concat(left.slice(at))
}

/** Surrogates stand for what is beyond U+FFFF, so they sort after all other code units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit
}

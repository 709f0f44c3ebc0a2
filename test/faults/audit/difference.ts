import type { Fields } from './avro.ts'

export interface Rules {
  /** Names below the top level whose numbers may differ by 1e-12 of their size. */
  readonly loose?: ReadonlySet<string>
  /** Only what is expected is looked at below the top level, too. */
  readonly unordered?: boolean
}

/**
 * The first way in which two records differ, as a path with both values; undefined when they are equal. Fields that the
 * expected one does not name are not looked at on the top level; below it nothing may be missing, more, or in another
 * order, because the bytes would differ.
 */
export function differenceOf(expected: Fields, actual: Fields, rules: Rules = {}): string | undefined {
  for (const name in expected) {
    const path = differs(expected[name], actual[name], name, rules, false)
    if (path !== undefined) return path
  }
  return undefined
}

const tolerance = 1e-12

function differs(
  expected: unknown,
  actual: unknown,
  path: string,
  rules: Rules,
  isLoose: boolean,
): string | undefined {
  if (expected === actual) return undefined
  if (isLoose && typeof expected === 'number' && typeof actual === 'number') {
    if (Math.abs(expected - actual) <= tolerance * Math.max(1, Math.abs(expected))) return undefined
  }
  if (!isObject(expected) || !isObject(actual)) return `${path} is ${text(actual)}, not ${text(expected)}`
  if (expected instanceof Uint8Array || actual instanceof Uint8Array) {
    const areBytes = expected instanceof Uint8Array && actual instanceof Uint8Array
    return areBytes && Buffer.compare(expected, actual) === 0 ? undefined : `${path} has other bytes`
  }
  const [names, others] = [Object.keys(expected), Object.keys(actual)]
  const isOther = names.length !== others.length || names.some((name, at) => name !== others[at])
  if (isOther && (rules.unordered !== true || Array.isArray(expected)))
    return `${path} has [${others}], not [${names}]`
  for (const name of names) {
    const isRounded = rules.loose?.has(name) === true
    const found = differs(expected[name], actual[name], `${path}.${name}`, rules, isRounded)
    if (found !== undefined) return found
  }
  return undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function text(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value)
}

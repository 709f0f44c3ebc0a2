import { DefinitionError } from '../definition-error.ts'
import type { Value } from '../event/contract.ts'
import { endOfTime } from '../operator.ts'
import { localClock } from './calendar.ts'

export type Comparison = 'above' | 'below' | 'atLeast' | 'atMost'
export type Arithmetic = 'add' | 'subtract' | 'multiply' | 'divide'
export type CalendarPart = 'hour' | 'weekday'

/**
 * A calculation over one event's fields, as data: it can be hashed, compared, printed and replayed.
 * Null in, null out; so is whatever is no finite number (a division by zero, the logarithm of 0 or less).
 */
export type Expression =
  | { readonly op: 'field'; readonly name: string }
  | { readonly op: 'literal'; readonly value: Value }
  | { readonly op: Comparison; readonly of: Expression; readonly value: number }
  | { readonly op: 'equals'; readonly of: Expression; readonly value: Value }
  /** The value itself when it is listed, otherwise `other`. */
  | {
      readonly op: 'oneOf'
      readonly of: Expression
      readonly values: readonly string[]
      readonly other: string
    }
  /** The name of the half-open interval: with edges 500 and 1000, `<500`, `500..1000` or `>=1000`. */
  | { readonly op: 'bins'; readonly of: Expression; readonly edges: readonly number[] }
  /** Hour 0–23, weekday 1 (Monday) to 7 (Sunday), of an instant in an IANA time zone. */
  | { readonly op: CalendarPart; readonly of: Expression; readonly zone: string }
  | { readonly op: Arithmetic; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'log'; readonly of: Expression }

type Values = Readonly<Record<string, Value>>
export type Evaluate = (values: Values) => Value

/**
 * Turns an expression into a function, once.
 * @throws DefinitionError that names an operator, time zone or set of edges that cannot be.
 */
export function compileExpression(expression: Expression): Evaluate {
  switch (expression.op) {
    case 'field':
      return fieldOf(expression.name)
    case 'literal':
      return () => expression.value
    case 'above':
    case 'below':
    case 'atLeast':
    case 'atMost':
      return comparisonOf(expression.op, expression.of, expression.value)
    case 'equals':
      return onPresent(expression.of, (value) => value === expression.value)
    case 'oneOf': {
      const known = new Set(expression.values)
      return onString(expression.of, (text) => (known.has(text) ? text : expression.other))
    }
    case 'bins': {
      const { edges } = expression
      const names = binNames(edges)
      return onNumber(expression.of, (value) => names[binOf(edges, value)] ?? null)
    }
    case 'hour':
    case 'weekday': {
      const { op } = expression
      const clock = localClock(expression.zone)
      return onNumber(expression.of, (ms) => (Math.abs(ms) <= endOfTime ? clock(ms)[op] : null))
    }
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'divide':
      return arithmeticOf(expression.op, expression.left, expression.right)
    case 'log':
      return onNumber(expression.of, (value) => finite(Math.log(value)))
    default:
      throw new DefinitionError(`no operator is called "${(expression as { op: string }).op}"`)
  }
}

/** Interprets an expression once; the hot path keeps what {@link compileExpression} returns. */
export function evaluate(expression: Expression, values: Values): Value {
  return compileExpression(expression)(values)
}

/** Names of the half-open intervals between ascending edges, lowest first: one more than there are edges. */
export function binNames(edges: readonly number[]): readonly string[] {
  const ascending = edges.every(
    (edge, index) => Number.isFinite(edge) && (index === 0 || edges[index - 1]! < edge),
  )
  if (edges.length === 0 || !ascending)
    throw new DefinitionError('bins: edges must be finite numbers that ascend')
  const inner = edges.slice(1).map((edge, index) => `${edges[index]}..${edge}`)
  return [`<${edges[0]}`, ...inner, `>=${edges.at(-1)}`]
}

/** The fields that an expression reads, sorted. */
export function fieldsOf(expression: Expression): readonly string[] {
  const names = new Set<string>()
  const visit = (node: Expression): void => {
    if (node.op === 'field') names.add(node.name)
    else if ('left' in node) [node.left, node.right].forEach(visit)
    else if ('of' in node) visit(node.of)
  }
  visit(expression)
  return [...names].sort()
}

/** Reads an own property only, so that a field called `constructor` is null where the event has none. */
function fieldOf(name: string): Evaluate {
  if (name in Object.prototype) return (values) => (Object.hasOwn(values, name) ? values[name]! : null)
  return (values) => values[name] ?? null
}

const comparisons: Readonly<Record<Comparison, (value: number, limit: number) => boolean>> = {
  above: (value, limit) => value > limit,
  below: (value, limit) => value < limit,
  atLeast: (value, limit) => value >= limit,
  atMost: (value, limit) => value <= limit,
}

const arithmetics: Readonly<Record<Arithmetic, (left: number, right: number) => number>> = {
  add: (left, right) => left + right,
  subtract: (left, right) => left - right,
  multiply: (left, right) => left * right,
  divide: (left, right) => left / right,
}

function comparisonOf(op: Comparison, of: Expression, limit: number): Evaluate {
  const compare = comparisons[op]
  return onNumber(of, (value) => compare(value, limit))
}

function arithmeticOf(op: Arithmetic, left: Expression, right: Expression): Evaluate {
  const apply = arithmetics[op]
  const [first, second] = [compileExpression(left), compileExpression(right)]
  return (values) => {
    const [a, b] = [first(values), second(values)]
    return typeof a === 'number' && typeof b === 'number' ? finite(apply(a, b)) : null
  }
}

function onPresent(of: Expression, use: (value: boolean | number | string) => Value): Evaluate {
  const read = compileExpression(of)
  return (values) => {
    const value = read(values)
    return value === null ? null : use(value)
  }
}

function onNumber(of: Expression, use: (value: number) => Value): Evaluate {
  return onPresent(of, (value) => (typeof value === 'number' ? use(value) : null))
}

function onString(of: Expression, use: (value: string) => Value): Evaluate {
  return onPresent(of, (value) => (typeof value === 'string' ? use(value) : null))
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

/** How many edges are at or below the value. */
function binOf(edges: readonly number[], value: number): number {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (edges[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}

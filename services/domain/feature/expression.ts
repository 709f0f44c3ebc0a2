import { DefinitionError } from '../definition-error.ts'
import type { Value } from '../event/contract.ts'

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

export type Evaluate = (values: Readonly<Record<string, Value>>) => Value

/** @throws DefinitionError that names an operator it does not know. */
export function compileExpression(expression: Expression): Evaluate {
  throw new DefinitionError(`no operator is called "${expression.op}"`)
}

/** Interprets an expression once; the hot path keeps what {@link compileExpression} returns. */
export function evaluate(expression: Expression, values: Readonly<Record<string, Value>>): Value {
  return compileExpression(expression)(values)
}

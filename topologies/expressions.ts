import type { Value } from '../services/domain/event/contract.ts'
import type {
  Arithmetic,
  CalendarPart,
  Comparison,
  Expression,
} from '../services/domain/feature/expression.ts'
import type { EventData } from './events.ts'

export const tree: unique symbol = Symbol.for('tidemark.expression')
/** The field that an expression is, and the entity that the field names; absent from calculations. */
export const fieldOf: unique symbol = Symbol.for('tidemark.expression.field')

export type ExpressionType = 'string' | 'number' | 'boolean' | 'timestamp'

export interface FieldRef {
  readonly stream: string
  readonly event: EventData
  readonly name: string
  readonly entity: string | null
}

/** What an expression is behind its methods: all that is kept of it. */
export interface ExpressionData {
  readonly stream: string
  readonly event: EventData
  readonly type: ExpressionType
  readonly expression: Expression
}

/** A calculation over the fields of one event of `Topic`. */
export interface Expr<Topic extends string, Type extends ExpressionType> {
  readonly [tree]: ExpressionData & { readonly stream: Topic; readonly type: Type }
}

/** A field of `Topic` itself, so that it can be a key. */
export interface FieldOf<Topic extends string, Entity extends string | null> {
  readonly [fieldOf]: FieldRef & { readonly stream: Topic; readonly entity: Entity }
}

export interface BooleanExpr<Topic extends string> extends Expr<Topic, 'boolean'> {
  equals(value: boolean): BooleanExpr<Topic>
}

export interface StringExpr<Topic extends string> extends Expr<Topic, 'string'> {
  equals(value: string): BooleanExpr<Topic>
}

export interface TimestampExpr<Topic extends string> extends Expr<Topic, 'timestamp'> {
  /** Ms from another instant of the same event to this one. */
  since(other: TimestampExpr<Topic>): NumberExpr<Topic>
}

/** A predicate over null is null; so is arithmetic, and whatever is no finite number. */
export interface NumberExpr<Topic extends string> extends Expr<Topic, 'number'> {
  above(limit: number): BooleanExpr<Topic>
  below(limit: number): BooleanExpr<Topic>
  atLeast(limit: number): BooleanExpr<Topic>
  atMost(limit: number): BooleanExpr<Topic>
  equals(value: number): BooleanExpr<Topic>
  plus(other: number | NumberExpr<Topic>): NumberExpr<Topic>
  minus(other: number | NumberExpr<Topic>): NumberExpr<Topic>
  times(other: number | NumberExpr<Topic>): NumberExpr<Topic>
  dividedBy(other: number | NumberExpr<Topic>): NumberExpr<Topic>
  /** Natural logarithm. */
  log(): NumberExpr<Topic>
}

export interface ExprByType<Topic extends string> {
  readonly string: StringExpr<Topic>
  readonly number: NumberExpr<Topic>
  readonly integer: NumberExpr<Topic>
  readonly boolean: BooleanExpr<Topic>
  readonly timestamp: TimestampExpr<Topic>
}

/** Parts of the local time of an instant; which zone's is always said. */
export const calendar = {
  /** 0 to 23. */
  hour<Topic extends string>(of: TimestampExpr<Topic>, zone: string): NumberExpr<Topic> {
    return calendarPart('hour', of, zone)
  },
  /** 1 (Monday) to 7 (Sunday). */
  weekday<Topic extends string>(of: TimestampExpr<Topic>, zone: string): NumberExpr<Topic> {
    return calendarPart('weekday', of, zone)
  },
} as const

/** Which of the half-open intervals between ascending edges: `[500, 1000]` gives `<500`, `500..1000` or `>=1000`. */
export function bins<Topic extends string>(
  of: NumberExpr<Topic>,
  edges: readonly number[],
): StringExpr<Topic> {
  return make(of, 'string', { op: 'bins', of: of[tree].expression, edges: [...edges] })
}

/** The value itself when it is one of `values`, otherwise `other`. */
export function oneOf<Topic extends string>(
  of: StringExpr<Topic>,
  values: readonly string[],
  other: string,
): StringExpr<Topic> {
  return make(of, 'string', { op: 'oneOf', of: of[tree].expression, values: [...values], other })
}

/** Gives a piece of data the methods of its type. */
export function expressionOf<Topic extends string, Type extends ExpressionType>(
  data: ExpressionData & { readonly stream: Topic; readonly type: Type },
  field?: FieldRef,
): ExprByType<Topic>[Type] {
  const base = {
    [tree]: Object.freeze(data),
    ...(field === undefined ? {} : { [fieldOf]: Object.freeze(field) }),
  }
  return Object.freeze({ ...base, ...methodsOf(data) }) as unknown as ExprByType<Topic>[Type]
}

function methodsOf(self: ExpressionData): object {
  const of = self.expression
  const result = (type: ExpressionType, expression: Expression) => expressionOf({ ...self, type, expression })
  const compare = (op: Comparison) => (value: number) => result('boolean', { op, of, value })
  const combine = (op: Arithmetic) => (other: number | Expr<string, ExpressionType>) =>
    result('number', { op, left: of, right: operandOf(other) })
  const equals = (value: Value) => result('boolean', { op: 'equals', of, value })
  if (self.type === 'timestamp') return { since: combine('subtract') }
  if (self.type !== 'number') return { equals }
  return {
    above: compare('above'),
    below: compare('below'),
    atLeast: compare('atLeast'),
    atMost: compare('atMost'),
    equals,
    plus: combine('add'),
    minus: combine('subtract'),
    times: combine('multiply'),
    dividedBy: combine('divide'),
    log: () => result('number', { op: 'log', of }),
  }
}

function operandOf(other: number | Expr<string, ExpressionType>): Expression {
  return typeof other === 'number' ? { op: 'literal', value: other } : other[tree].expression
}

function calendarPart<Topic extends string>(
  op: CalendarPart,
  of: TimestampExpr<Topic>,
  zone: string,
): NumberExpr<Topic> {
  return make(of, 'number', { op, of: of[tree].expression, zone })
}

function make<Topic extends string, Type extends ExpressionType>(
  from: Expr<Topic, ExpressionType>,
  type: Type,
  expression: Expression,
): ExprByType<Topic>[Type] {
  return expressionOf({ ...from[tree], type, expression })
}

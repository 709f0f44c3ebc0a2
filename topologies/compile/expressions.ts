import { DefinitionError } from '../../services/domain/definition-error.ts'
import type { Stream } from '../../services/domain/event/contract.ts'
import { binNames, compileExpression, type Expression } from '../../services/domain/feature/expression.ts'
import type { ExpressionType } from '../expressions.ts'
import { demand, sortedSet } from './rules.ts'

/**
 * The type that an expression over a stream's fields has.
 * @throws DefinitionError that names the field or operator that does not fit.
 */
export function typeOfExpression(expression: Expression, stream: Stream, what: string): ExpressionType {
  const operand = (of: Expression, ...allowed: readonly ExpressionType[]) => {
    const type = typeOfExpression(of, stream, what)
    demand(allowed.includes(type), what, `${expression.op} takes a ${allowed.join(' or a ')}, not a ${type}`)
    return type
  }
  switch (expression.op) {
    case 'field':
      return typeOfField(expression.name, stream, what)
    case 'literal':
      demand(
        typeof expression.value === 'number' && Number.isFinite(expression.value),
        what,
        'literal is no number',
      )
      return 'number'
    case 'above':
    case 'below':
    case 'atLeast':
    case 'atMost':
      operand(expression.of, 'number')
      demand(Number.isFinite(expression.value), what, `${expression.op} takes a finite limit`)
      return 'boolean'
    case 'equals': {
      const type = operand(expression.of, 'number', 'string', 'boolean')
      demand(
        typeof expression.value === type,
        what,
        `equals compares a ${type} with ${JSON.stringify(expression.value)}`,
      )
      return 'boolean'
    }
    case 'oneOf':
      operand(expression.of, 'string')
      demand(expression.values.length > 0, what, 'oneOf lists no value')
      return 'string'
    case 'bins':
      operand(expression.of, 'number')
      return 'string'
    case 'hour':
    case 'weekday':
      operand(expression.of, 'timestamp')
      return 'number'
    case 'add':
    case 'subtract':
    case 'multiply':
    case 'divide':
      operand(expression.left, 'number', 'timestamp')
      operand(expression.right, 'number', 'timestamp')
      return 'number'
    case 'log':
      operand(expression.of, 'number')
      return 'number'
    default:
      throw new DefinitionError(`${what}: no operator is called "${(expression as { op: string }).op}"`)
  }
}

/** A plain copy in which lists whose order means nothing are sorted; compiled once, so that a bad zone shows here. */
export function checkedExpression(expression: Expression, what: string): Expression {
  try {
    compileExpression(expression)
  } catch (error) {
    if (error instanceof DefinitionError) throw new DefinitionError(`${what}: ${error.message}`)
    throw error
  }
  return normal(expression)
}

/** Every text that an expression can give, or null when there is no bound. */
export function textsOf(expression: Expression, stream: Stream): readonly string[] | null {
  if (expression.op === 'bins') return binNames(expression.edges)
  if (expression.op === 'oneOf') return [...expression.values, expression.other]
  if (expression.op !== 'field') return null
  const field = stream.fields[expression.name]
  return field?.breach === 'flag' ? null : (field?.oneOf ?? null)
}

function typeOfField(name: string, stream: Stream, what: string): ExpressionType {
  const field = Object.hasOwn(stream.fields, name) ? stream.fields[name] : undefined
  demand(field !== undefined, what, `${stream.topic} has no field "${name}"`)
  return field.type === 'integer' ? 'number' : field.type
}

function normal(expression: Expression): Expression {
  if (expression.op === 'oneOf')
    return { ...expression, of: normal(expression.of), values: sortedSet(expression.values) }
  if ('left' in expression)
    return { ...expression, left: normal(expression.left), right: normal(expression.right) }
  return 'of' in expression ? { ...expression, of: normal(expression.of) } : expression
}

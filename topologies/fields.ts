import type { Breach, Field, FieldType } from '../services/domain/event/contract.ts'

export const fieldData: unique symbol = Symbol.for('tidemark.field')

/** A field of an event as its contract says it, before it has a name. */
export interface FieldSpec<Type extends FieldType = FieldType, Entity extends string | null = string | null> {
  readonly [fieldData]: Field & { readonly type: Type }
  /** Only a type: the entity that it names, or null. */
  readonly entity: Entity
}

export interface FieldOptions {
  /** What it means, in a word or a sentence. */
  readonly semantics?: string
  /** Whether it may be null or absent. */
  readonly nullable?: boolean
  /** What becomes of a value that breaks a rule: `reject` (the default) refuses the record. */
  readonly breach?: Breach
}

export interface StringOptions extends FieldOptions {
  /** A regular expression for the whole string. */
  readonly pattern?: string
  readonly oneOf?: readonly string[]
}

export interface NumberOptions extends FieldOptions {
  readonly unit?: string
  /** Smallest and largest value that is still right. */
  readonly range?: readonly [number, number]
}

export function string(options: StringOptions = {}): FieldSpec<'string', null> {
  return field('string', options)
}

/** A finite number. */
export function number(options: NumberOptions = {}): FieldSpec<'number', null> {
  return field('number', options)
}

/** A whole number within ±(2^53 − 1). */
export function integer(options: NumberOptions = {}): FieldSpec<'integer', null> {
  return field('integer', options)
}

export function boolean(options: FieldOptions = {}): FieldSpec<'boolean', null> {
  return field('boolean', options)
}

/** An instant: ms since 1970-01-01T00:00Z, or ISO 8601 with Z or an offset. */
export function timestamp(options: FieldOptions = {}): FieldSpec<'timestamp', null> {
  return field('timestamp', options)
}

/** A string that names one of the things that quantities are kept for: an airport, a card. */
export function entity<const Name extends string>(
  name: Name,
  spec: FieldSpec<'string', null> = string(),
): FieldSpec<'string', Name> {
  return Object.freeze({ [fieldData]: Object.freeze({ ...spec[fieldData], entity: name }), entity: name })
}

function field<Type extends FieldType>(
  type: Type,
  options: StringOptions & NumberOptions,
): FieldSpec<Type, null> {
  const { nullable = false, breach = 'reject', ...rules } = options
  const data = Object.freeze({ type, nullable, breach, ...rules })
  return Object.freeze({ [fieldData]: data, entity: null })
}

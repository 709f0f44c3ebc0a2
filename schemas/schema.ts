/** The shape of the Avro schema JSON that Tidemark uses. */

export type Schema = string | readonly Schema[] | EnumSchema | RecordSchema | ArraySchema | MapSchema

export interface EnumSchema {
  readonly type: 'enum'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly symbols: readonly string[]
  readonly default?: string
}

export interface RecordField {
  readonly name: string
  readonly type: Schema
  readonly default?: unknown
  readonly doc?: string
}

export interface RecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly doc?: string
  readonly fields: readonly RecordField[]
}

export interface ArraySchema {
  readonly type: 'array'
  readonly items: Schema
}

export interface MapSchema {
  readonly type: 'map'
  readonly values: Schema
}

const namespace = 'io.tidemark'

/**
 * The schema with each shared type written out where it is first used, as Avro and the registry want it.
 * @param schema a schema that names shared types by full name
 * @param shared the shared types by full name
 * @throws if a name is neither defined before nor shared
 */
export function withSharedTypes(schema: Schema, shared: ReadonlyMap<string, Schema>): Schema {
  return inline(schema, shared, new Set())
}

export function fullName(name: string): string {
  return name.includes('.') ? name : `${namespace}.${name}`
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

export function isPrimitive(name: string): boolean {
  return primitives.has(name)
}

function inline(schema: Schema, shared: ReadonlyMap<string, Schema>, defined: Set<string>): Schema {
  if (typeof schema === 'string') return inlineName(schema, shared, defined)
  if (isUnion(schema)) return schema.map((branch) => inline(branch, shared, defined))
  if (schema.type === 'array') return { ...schema, items: inline(schema.items, shared, defined) }
  if (schema.type === 'map') return { ...schema, values: inline(schema.values, shared, defined) }
  defined.add(fullName(schema.name))
  if (schema.type === 'enum') return schema
  return {
    ...schema,
    fields: schema.fields.map((field) => ({ ...field, type: inline(field.type, shared, defined) })),
  }
}

function inlineName(name: string, shared: ReadonlyMap<string, Schema>, defined: Set<string>): Schema {
  if (isPrimitive(name) || defined.has(fullName(name))) return name
  const definition = shared.get(fullName(name))
  if (definition === undefined) throw new Error(`No schema defines ${name}`)
  return inline(definition, shared, defined)
}

/** `Array.isArray` does not narrow a readonly array. */
export function isUnion(schema: Schema): schema is readonly Schema[] {
  return Array.isArray(schema)
}

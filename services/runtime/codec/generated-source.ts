import type avro from 'avsc'

/** Source text that is put together from functions and compiled once, as avsc does for its records. */
export interface Source {
  /** Makes a value known to the source under a name. */
  give(name: string, value: unknown): void
  /** The name of the function that was made for `of`, which `text` writes the first time. */
  once(of: object, text: (name: string) => string): string
  /** Adds a declaration with a name of its own. */
  declare(text: (name: string) => string): string
  /** Compiles everything and returns what the expression stands for. */
  make(expression: string): unknown
}

export function createSource(): Source {
  const given = new Map<string, unknown>()
  const made = new Map<object, string>()
  const texts: string[] = []
  let count = 0
  const declare = (text: (name: string) => string): string => {
    count += 1
    const name = `g${count}`
    texts.push(text(name))
    return name
  }
  return {
    give: (name, value) => given.set(name, value),
    declare,
    once(of, text) {
      const known = made.get(of)
      if (known !== undefined) return known
      return declare((name) => {
        made.set(of, name)
        return text(name)
      })
    },
    make(expression) {
      const body = `'use strict'\n${texts.join('\n')}\nreturn ${expression}`
      // Only names of fields and symbols of our own schemas, which Avro restricts to letters and digits, get in here.
      return new Function(...given.keys(), body)(...given.values())
    },
  }
}

/** The text for each kind of type: what its parts are made of, and what has none. */
export interface Bodies {
  record(type: avro.types.RecordType): string
  map(values: avro.Type): string
  array(items: avro.Type): string
  union(branches: readonly avro.Type[]): string
  enumeration(symbols: readonly string[]): string
  leaf(type: avro.Type): string
}

export function bodyFor(type: avro.Type, bodies: Bodies): string {
  switch (type.typeName) {
    case 'record':
      return bodies.record(type as avro.types.RecordType)
    case 'map':
      return bodies.map((type as avro.types.MapType).valuesType)
    case 'array':
      return bodies.array((type as avro.types.ArrayType).itemsType)
    case 'union:unwrapped':
      return bodies.union((type as avro.types.UnwrappedUnionType).types)
    case 'enum':
      return bodies.enumeration((type as avro.types.EnumType).symbols)
    default:
      return bodies.leaf(type)
  }
}

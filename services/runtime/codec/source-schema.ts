import avro from 'avsc'
import { withExactLong } from './long.ts'

/** A user's own writer schema, made safe to read with. */
export type SourceSchema =
  | { readonly usable: true; readonly type: avro.Type; readonly wrapped: readonly string[] }
  | { readonly usable: false; readonly detail: string }

/**
 * avsc reads arrays and maps without asking whether the bytes can hold what their counts claim: five bytes would
 * allocate gigabytes. Those types, and longs, are read by our own functions; the rest of the schema is avsc's.
 * `wrapped` names the fields whose union avsc hands over as { branch: value }, because JavaScript cannot tell its
 * branches apart (an int or a double): they are unwrapped after reading.
 */
export function sourceSchema(schema: unknown): SourceSchema {
  try {
    const type = avro.Type.forSchema(schema as avro.Type, {
      omitRecordMethods: true,
      typeHook: (part, options) => guarded(part, options),
    })
    if (type.typeName !== 'record')
      return { usable: false, detail: `its schema is ${type.typeName}, not a record` }
    if (namesPrototype(schema)) return { usable: false, detail: 'its schema has a field named __proto__' }
    return { usable: true, type, wrapped: wrappedFields(type as avro.types.RecordType) }
  } catch (error) {
    return { usable: false, detail: `its schema cannot be read: ${(error as Error).message.slice(0, 200)}` }
  }
}

function wrappedFields(type: avro.types.RecordType): string[] {
  return type.fields.filter((field) => field.type.typeName === 'union:wrapped').map((field) => field.name)
}

/** Assigning to __proto__ would change what the record inherits. */
function namesPrototype(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(namesPrototype)
  if (typeof part !== 'object' || part === null) return false
  const { name, fields, items, values, type } = part as Record<string, unknown>
  return name === '__proto__' || [fields, items, values, type].some(namesPrototype)
}

/** The part of avsc's reading cursor that is needed here. */
interface Tap {
  readonly buf: Buffer
  pos: number
  readLong(): number
  readString(): string | undefined
  skipLong(): void
}

interface Readable {
  _read(tap: Tap): unknown
}

type HookOptions = ConstructorParameters<typeof avro.types.MapType>[1]

function guarded(part: unknown, options: HookOptions): avro.Type | undefined {
  const long = withExactLong(part)
  if (long !== undefined) return long
  if (typeof part !== 'object' || part === null || !('type' in part)) return undefined
  if (part.type === 'map') {
    const map = new avro.types.MapType(part as never, options)
    return Object.create(map, { _read: { value: (tap: Tap) => readMap(tap, map.valuesType) } })
  }
  if (part.type === 'array') {
    const array = new avro.types.ArrayType(part as never, options)
    return Object.create(array, {
      _read: { value: (tap: Tap) => readArray(tap, array.itemsType as unknown as Readable) },
    })
  }
  return undefined
}

function readArray(tap: Tap, items: Readable): unknown[] {
  const array: unknown[] = []
  readBlocks(tap, () => array.push(items._read(tap)))
  return array
}

function readMap(tap: Tap, values: Readable): Record<string, unknown> {
  const map: Record<string, unknown> = {}
  readBlocks(tap, () => {
    const key = tap.readString()
    if (key === undefined) throw new Error('the bytes end too early')
    if (key === '__proto__') throw new Error('a map has the key __proto__')
    map[key] = values._read(tap)
  })
  return map
}

// Items of no bytes (null, an empty record) cost an attacker nothing, so a block may hold only a few.
const maxEmptyItems = 16

function readBlocks(tap: Tap, readItem: () => void): void {
  for (let n = blockCount(tap); n > 0; n = blockCount(tap)) {
    if (n > tap.buf.length - tap.pos + maxEmptyItems)
      throw new Error('a count is larger than the bytes that follow')
    const start = tap.pos
    for (let i = 0; i < n; i++) {
      readItem()
      if (tap.pos > tap.buf.length) throw new Error('the bytes end too early')
      if (i === maxEmptyItems && tap.pos === start) throw new Error('too many items of no bytes')
    }
  }
}

/** A negative count is followed by the block's size in bytes, which is not needed. */
function blockCount(tap: Tap): number {
  const n = tap.readLong()
  if (n < 0) tap.skipLong()
  return Math.abs(n)
}

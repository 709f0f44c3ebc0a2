import type avro from 'avsc'

type Form = (value: unknown) => unknown

/**
 * Brings a value into the one form whose Avro bytes stand for it: avsc writes the keys of a map in the object's own
 * order, so maps are given sorted keys (UTF-16 code units; keys that are array indices first, as JavaScript has it).
 * Views of bytes become Buffers, which avsc insists on. What is already in that form is passed on as it is.
 * @returns a function compiled once for the type; a value of another shape passes through, for avsc to refuse
 */
export function canonicalForm(type: avro.Type): Form {
  return formOf(type) ?? ((value) => value)
}

function formOf(type: avro.Type): Form | undefined {
  switch (type.typeName) {
    case 'bytes':
      return bytesForm
    case 'map':
      return mapForm(formOf((type as avro.types.MapType).valuesType))
    case 'array':
      return arrayForm(formOf((type as avro.types.ArrayType).itemsType))
    case 'record':
      return recordForm(type as avro.types.RecordType)
    case 'union:unwrapped':
      return unionForm((type as avro.types.UnwrappedUnionType).types)
    default:
      return undefined
  }
}

function bytesForm(value: unknown): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function mapForm(form: Form | undefined): Form {
  return (value) => {
    if (!isObject(value)) return value
    const keys = Object.keys(value)
    if (form === undefined && isSorted(keys)) return value
    const sorted: Record<string, unknown> = {}
    for (const key of keys.sort()) sorted[key] = form === undefined ? value[key] : form(value[key])
    return sorted
  }
}

function arrayForm(form: Form | undefined): Form | undefined {
  return form && ((value) => (Array.isArray(value) ? value.map(form) : value))
}

function recordForm(type: avro.types.RecordType): Form | undefined {
  const forms: [string, Form][] = []
  for (const { name, type: fieldType } of type.fields) {
    const form = formOf(fieldType)
    if (form !== undefined) forms.push([name, form])
  }
  return forms.length === 0 ? undefined : (value) => (isObject(value) ? formFields(forms, value) : value)
}

function formFields(forms: readonly [string, Form][], record: Record<string, unknown>): unknown {
  let copy: Record<string, unknown> | undefined
  for (const [name, form] of forms) {
    const before = record[name]
    const after = form(before)
    if (after === before) continue
    copy ??= { ...record }
    copy[name] = after
  }
  return copy ?? record
}

/** In Tidemark's schemas at most one branch of a union has a form of its own: bytes or a record. */
function unionForm(branches: readonly avro.Type[]): Form | undefined {
  const forms = branches.map(formOf).filter((form) => form !== undefined)
  if (forms.length > 1)
    throw new Error('A union may hold one branch at most that is bytes, a map, an array or a record')
  return forms[0]
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) return false
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

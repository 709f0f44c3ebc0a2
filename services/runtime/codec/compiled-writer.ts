import avro from 'avsc'
import { bodyFor, createSource, type Source } from './generated-source.ts'

/**
 * Writes a value at `at` and returns the place behind it: more than the buffer's length when it does not fit, a
 * negative number when the value is not plain enough to be written here.
 */
export type CompiledWriter = (buffer: Buffer, at: number, value: unknown) => number

/**
 * An encoder made for one type, four times as fast as avsc's and with the same bytes. It only knows values in their
 * plainest form: what it refuses (maps that are not sorted, fields of another kind) is left to avsc, which takes it
 * or says what is wrong with it.
 */
export function compiledWriter(type: avro.Type): CompiledWriter {
  const source = createSource()
  const names = { text: writeText, long: writeLong, double: writeDouble, bytes: writeBytes }
  for (const [name, value] of Object.entries(names)) source.give(name, value)
  const write = writerOf(type, source)
  return source.make(write) as CompiledWriter
}

/** The name of a function of the source that writes this type. */
function writerOf(type: avro.Type, source: Source): string {
  return source.once(type, (name) => {
    const body = bodyOf(type, source)
    return `function ${name}(b, at, v) {\n${body}\nreturn at\n}`
  })
}

function bodyOf(type: avro.Type, source: Source): string {
  return bodyFor(type, {
    record: (each) => recordBody(each, source),
    map: (values) => mapBody(values, source),
    array: (items) => arrayBody(items, source),
    union: (branches) => unionBody(branches, source),
    enumeration: enumBody,
    leaf: (each) => leafBody(each),
  })
}

function leafBody({ typeName }: avro.Type): string {
  switch (typeName) {
    case 'null':
      return 'if (v !== null) return -1'
    case 'boolean':
      return "if (typeof v !== 'boolean') return -1\nb[at++] = v ? 1 : 0"
    case 'string':
      return "if (typeof v !== 'string') return -1\nreturn text(b, at, v)"
    case 'int':
      return "if (typeof v !== 'number' || (v | 0) !== v) return -1\nreturn long(b, at, v)"
    case 'long':
      return "if (typeof v !== 'number' || !Number.isSafeInteger(v)) return -1\nreturn long(b, at, v)"
    case 'double':
      return "if (typeof v !== 'number') return -1\nreturn double(b, at, v)"
    case 'bytes':
      return 'if (!(v instanceof Uint8Array)) return -1\nreturn bytes(b, at, v)'
    default:
      return 'return -1'
  }
}

/** A field that is left out has its default, whose bytes are known. */
function recordBody({ fields }: avro.types.RecordType, source: Source): string {
  const parts = fields.map((field, index) => {
    const write = writerOf(field.type, source)
    const given = `at = ${write}(b, at, f${index}); if (at < 0) return -1`
    const standard = field.defaultValue()
    const read = `const f${index} = v.${field.name}`
    if (standard === undefined) return `${read}\n${given}`
    const bytes = [...field.type.toBuffer(standard)].map((byte) => `b[at++] = ${byte}`).join('; ')
    return `${read}\nif (f${index} === undefined) { ${bytes} } else { ${given} }`
  })
  return `if (typeof v !== 'object' || v === null || Array.isArray(v)) return -1\n${parts.join('\n')}`
}

function mapBody(values: avro.Type, source: Source): string {
  return `if (typeof v !== 'object' || v === null || Array.isArray(v)) return -1
const keys = Object.keys(v)
const n = keys.length
if (n > 0) {
  at = long(b, at, n)
  let last
  for (let i = 0; i < n; i++) {
    const key = keys[i]
    if ((i > 0 && key < last) || key === '__proto__') return -1
    last = key
    at = text(b, at, key)
    at = ${writerOf(values, source)}(b, at, v[key]); if (at < 0) return -1
  }
}
b[at++] = 0`
}

function arrayBody(items: avro.Type, source: Source): string {
  return `if (!Array.isArray(v)) return -1
const n = v.length
if (n > 0) {
  at = long(b, at, n)
  for (let i = 0; i < n; i++) { at = ${writerOf(items, source)}(b, at, v[i]); if (at < 0) return -1 }
}
b[at++] = 0`
}

/** In the order of the branches; the index of a branch takes one byte as long as there are fewer than 64. */
function unionBody(branches: readonly avro.Type[], source: Source): string {
  const tests = branches.map((branch, index) => {
    const write = branch.typeName === 'null' ? 'at' : `${writerOf(branch, source)}(b, at, v)`
    return `if (${testOf(branch)}) { b[at++] = ${index * 2}; return ${write} }`
  })
  return `${tests.join('\n')}\nreturn -1`
}

/** Which values belong to a branch of a union; an unwrapped union has one branch for each. */
function testOf({ typeName }: avro.Type): string {
  switch (typeName) {
    case 'null':
      return 'v === null'
    case 'boolean':
      return "typeof v === 'boolean'"
    case 'string':
    case 'enum':
      return "typeof v === 'string'"
    case 'int':
    case 'long':
    case 'double':
      return "typeof v === 'number'"
    case 'bytes':
      return 'v instanceof Uint8Array'
    case 'array':
      return 'Array.isArray(v)'
    default:
      return "typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof Uint8Array)"
  }
}

function enumBody(symbols: readonly string[]): string {
  const cases = symbols.map((symbol, index) => `case ${JSON.stringify(symbol)}: return long(b, at, ${index})`)
  return `switch (v) {\n${cases.join('\n')}\n}\nreturn -1`
}

const textType = avro.Type.forSchema('string')
const shortText = 63

/** Most texts are short and ASCII, and a loop is faster than a call out of JavaScript. All others are avsc's. */
function writeText(buffer: Buffer, at: number, text: string): number {
  const { length } = text
  if (length > shortText) return writeAnyText(buffer, at, text)
  let to = at + 1
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit > 127) return writeAnyText(buffer, at, text)
    buffer[to++] = unit
  }
  buffer[at] = length * 2
  return to
}

function writeAnyText(buffer: Buffer, at: number, text: string): number {
  if (at > buffer.length) return at
  const end = textType.encode(text, buffer, at)
  // avsc says how many bytes were missing.
  return end < 0 ? buffer.length - end : end
}

/** Zigzag, seven bits to a byte. Numbers beyond 31 bits go in two parts, of which the lower has four whole bytes. */
function writeLong(buffer: Buffer, at: number, value: number): number {
  let to = at
  let rest = value < 0 ? -(value + 1) : value
  const sign = value < 0 ? 1 : 0
  if (rest < 0x4000_0000) {
    rest = (rest << 1) | sign
    while (rest & ~127) {
      buffer[to++] = (rest & 127) | 128
      rest >>>= 7
    }
    buffer[to++] = rest
    return to
  }
  // 27 bits and the sign fill four bytes exactly.
  const high = Math.floor(rest / 0x800_0000)
  const low = ((rest - high * 0x800_0000) << 1) | sign
  buffer[to++] = (low & 127) | 128
  buffer[to++] = ((low >>> 7) & 127) | 128
  buffer[to++] = ((low >>> 14) & 127) | 128
  buffer[to++] = ((low >>> 21) & 127) | 128
  rest = high
  while (rest & ~127) {
    buffer[to++] = (rest & 127) | 128
    rest >>>= 7
  }
  buffer[to++] = rest
  return to
}

const double = new Float64Array(1)
const octets = new Uint8Array(double.buffer)

function writeDouble(buffer: Buffer, at: number, value: number): number {
  double[0] = value
  buffer[at] = octets[0]!
  buffer[at + 1] = octets[1]!
  buffer[at + 2] = octets[2]!
  buffer[at + 3] = octets[3]!
  buffer[at + 4] = octets[4]!
  buffer[at + 5] = octets[5]!
  buffer[at + 6] = octets[6]!
  buffer[at + 7] = octets[7]!
  return at + 8
}

function writeBytes(buffer: Buffer, at: number, bytes: Uint8Array): number {
  const from = writeLong(buffer, at, bytes.length)
  if (from + bytes.length <= buffer.length) buffer.set(bytes, from)
  return from + bytes.length
}

import type avro from 'avsc'
import { bodyFor, createSource, type Source } from './generated-source.ts'

/**
 * Reads the value that lies between `at` and the buffer's end; undefined when the bytes are not exactly one value,
 * or not as plain as our own encoder writes them.
 */
export type CompiledReader = (buffer: Buffer, at: number) => unknown

/**
 * A decoder made for one type, with the same values as avsc's. What it does not understand is left to avsc, which
 * reads it or says what is wrong. Texts that come again and again (names of fields, of writers) are kept: each place
 * of the schema remembers the last text that it read.
 */
export function compiledReader(type: avro.Type): CompiledReader {
  const source = createSource()
  source.give('refuse', refuse)
  source.give('doubleOf', doubleOf)
  source.give('bytesOf', bytesOf)
  source.give('place', newPlace)
  source.declare(() => `let b = null, at = 0, end = 0\n${longText}\n${textText}`)
  const read = readerOf(type, source)
  const make = source.make(`(buffer, from) => {
    b = buffer; at = from; end = buffer.length
    const value = ${read}()
    b = null
    if (at !== end) refuse()
    return value
  }`) as CompiledReader
  return (buffer, at) => {
    try {
      return make(buffer, at)
    } catch (error) {
      if (error === refusal) return undefined
      throw error
    }
  }
}

function newPlace() {
  return { bytes: new Uint8Array(64), length: -1, text: '', misses: 0 }
}

const refusal = new Error('not plain')

function refuse(): never {
  throw refusal
}

/** Zigzag, seven bits to a byte; beyond eight bytes it is avsc's to say whether the number is exact. */
const longText = `function long() {
  let byte = b[at++]
  if (byte < 128) return byte & 1 ? -(byte >> 1) - 1 : byte >> 1
  const sign = byte & 1
  let magnitude = (byte & 127) >> 1
  let scale = 64
  do {
    byte = b[at++]
    if (byte === undefined || scale > 562949953421312) refuse()
    magnitude += (byte & 127) * scale
    scale *= 128
  } while (byte > 127)
  if (magnitude > 9007199254740990) refuse()
  return sign ? -magnitude - 1 : magnitude
}`

/**
 * The last text of a place is compared from its end, where texts that count up differ first. A place whose texts are
 * always others soon stops remembering.
 */
const textText = `function text(last) {
  const n = long()
  const from = at
  at += n
  if (!(n >= 0) || at > end) refuse()
  if (last.length === n) {
    const known = last.bytes
    let i = n - 1
    while (i >= 0 && known[i] === b[from + i]) i -= 1
    if (i < 0) { last.misses = 0; return last.text }
  }
  const read = b.utf8Slice(from, at)
  if (n <= 64 && last.misses < 64) {
    for (let i = 0; i < n; i++) last.bytes[i] = b[from + i]
    last.length = n
    last.text = read
    last.misses += 1
  }
  return read
}`

function readerOf(type: avro.Type, source: Source): string {
  return source.once(type, (name) => `function ${name}() {\n${bodyOf(type, source)}\n}`)
}

function bodyOf(type: avro.Type, source: Source): string {
  return bodyFor(type, {
    record: (each) => recordBody(each, source),
    map: (values) => mapBody(values, source),
    array: (items) => arrayBody(items, source),
    union: (branches) => unionBody(branches, source),
    enumeration: enumBody,
    leaf: (each) => leafBody(each, source),
  })
}

function leafBody({ typeName }: avro.Type, source: Source): string {
  switch (typeName) {
    case 'null':
      return 'return null'
    case 'boolean':
      return 'return b[at++] !== 0'
    case 'string':
      return `return text(${placeIn(source)})`
    case 'int':
      return 'const n = long()\nif ((n | 0) !== n) refuse()\nreturn n'
    case 'long':
      return 'return long()'
    case 'double':
      return 'at += 8; if (at > end) refuse()\nreturn doubleOf(b, at - 8)'
    case 'bytes':
      return 'const n = long()\nat += n\nif (!(n >= 0) || at > end) refuse()\nreturn bytesOf(b, at - n, n)'
    default:
      return 'refuse()'
  }
}

/** What one place of the schema remembers. */
function placeIn(source: Source): string {
  return source.declare((name) => `const ${name} = place()`)
}

function recordBody({ fields }: avro.types.RecordType, source: Source): string {
  const parts = fields.map(({ name, type }) => `${name}: ${callOf(type, source)}`)
  return `return { ${parts.join(', ')} }`
}

/** A text has a memory for each place, all other types are read by the function of their type. */
function callOf(type: avro.Type, source: Source): string {
  return type.typeName === 'string' ? `text(${placeIn(source)})` : `${readerOf(type, source)}()`
}

/** Names in a map come in the same order in each record, so the n-th of them has a memory of its own. */
function mapBody(values: avro.Type, source: Source): string {
  const names = source.declare((name) => `const ${name} = Array.from({ length: 8 }, place)`)
  return `const map = {}
let n = long()
while (n !== 0) {
  if (!(n > 0)) refuse()
  for (let i = 0; i < n; i++) {
    if (at >= end) refuse()
    const key = text(${names}[i & 7])
    if (key === '__proto__') refuse()
    map[key] = ${callOf(values, source)}
  }
  n = long()
}
return map`
}

function arrayBody(items: avro.Type, source: Source): string {
  return `const list = []
let n = long()
while (n !== 0) {
  if (!(n > 0)) refuse()
  for (let i = 0; i < n; i++) {
    if (at >= end) refuse()
    list.push(${callOf(items, source)})
  }
  n = long()
}
return list`
}

function unionBody(branches: readonly avro.Type[], source: Source): string {
  const cases = branches.map((branch, index) => `case ${index}: return ${callOf(branch, source)}`)
  return `switch (long()) {\n${cases.join('\n')}\n}\nrefuse()`
}

function enumBody(symbols: readonly string[]): string {
  const cases = symbols.map((symbol, index) => `case ${index}: return ${JSON.stringify(symbol)}`)
  return `switch (long()) {\n${cases.join('\n')}\n}\nrefuse()`
}

const double = new Float64Array(1)
const octets = new Uint8Array(double.buffer)

function doubleOf(buffer: Buffer, at: number): number {
  octets[0] = buffer[at]!
  octets[1] = buffer[at + 1]!
  octets[2] = buffer[at + 2]!
  octets[3] = buffer[at + 3]!
  octets[4] = buffer[at + 4]!
  octets[5] = buffer[at + 5]!
  octets[6] = buffer[at + 6]!
  octets[7] = buffer[at + 7]!
  return double[0]!
}

function bytesOf(buffer: Buffer, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  buffer.copy(bytes, 0, from, from + length)
  return bytes
}

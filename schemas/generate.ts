/**
 * Makes `schemas/types.ts` and `schemas/generated/self-contained.ts` from the `.avsc` files beside it.
 * Run `node schemas/generate.ts` after each change of a schema; a test compares.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { EnumSchema, RecordSchema, Schema } from './schema.ts'
import { fullName, isPrimitive, isUnion, withSharedTypes } from './schema.ts'

const folder = import.meta.dirname
const lineWidth = 110
const header = '// Made by `node schemas/generate.ts` from the .avsc files. Do not edit.\n'

const preamble = `/** A contracted field or a feature: null is a value that is not there. */
export type Value = null | boolean | number | string

/** What a stage gives of a record: the runtime adds the rest. */
export type Draft<T> = Omit<T, 'origin' | 'watermark' | 'runtime'>
`

const primitiveTypes: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Uint8Array',
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(generate())) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** The text of each generated file by its path under `schemas/`. */
export function generate(): Record<string, string> {
  const schemas = readSchemas()
  return { 'types.ts': typesText(schemas), 'generated/self-contained.ts': selfContainedText(schemas) }
}

/** Each schema as its file has it, by file name without extension, in name order. */
export function readSchemas(): Map<string, EnumSchema | RecordSchema> {
  const files = readdirSync(folder).filter((file) => file.endsWith('.avsc'))
  return new Map(files.sort().map((file) => [file.slice(0, -'.avsc'.length), readSchema(file)]))
}

function readSchema(file: string): EnumSchema | RecordSchema {
  const schema: EnumSchema | RecordSchema = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const expected = schema.name.replace(/(?!^)([A-Z])/g, '-$1').toLowerCase()
  if (`${expected}.avsc` !== file)
    throw new Error(`${file} defines ${schema.name}: it belongs in ${expected}.avsc`)
  return schema
}

function selfContainedText(schemas: Map<string, EnumSchema | RecordSchema>): string {
  const shared = new Map<string, Schema>(
    [...schemas.values()].map((schema) => [fullName(schema.name), schema]),
  )
  const entries = [...schemas.values()]
    .filter((schema) => schema.type === 'record')
    .map((schema) => `  ${schema.name}: ${JSON.stringify(withSharedTypes(schema, shared))},\n`)
  return `${header}\n/** Each record's whole schema, shared types included, by record name. */\nexport const selfContainedSchemas = {\n${entries.join('')}} as const\n`
}

function typesText(schemas: Map<string, EnumSchema | RecordSchema>): string {
  const blocks: string[] = []
  for (const schema of schemas.values()) declare(schema, blocks)
  return `${header}\n${preamble}\n${blocks.join('\n')}`
}

/** Appends the declaration of a named type, after those of the types named inside it. */
function declare(schema: Schema, blocks: string[]): void {
  if (typeof schema === 'string') return
  if (isUnion(schema)) for (const branch of schema) declare(branch, blocks)
  else if (schema.type === 'array') declare(schema.items, blocks)
  else if (schema.type === 'map') declare(schema.values, blocks)
  else if (schema.type === 'enum') blocks.push(enumText(schema))
  else {
    for (const field of schema.fields) declare(field.type, blocks)
    blocks.push(recordText(schema))
  }
}

function enumText(schema: EnumSchema): string {
  const symbols = schema.symbols.map((symbol) => `'${symbol}'`)
  const line = `export type ${schema.name} = ${symbols.join(' | ')}`
  const text =
    line.length <= lineWidth
      ? line
      : `export type ${schema.name} =\n${symbols.map((symbol) => `  | ${symbol}`).join('\n')}`
  return `${comment(schema.doc, '')}${text}\n`
}

function recordText(schema: RecordSchema): string {
  const fields = schema.fields.map(
    (field) => `${comment(field.doc, '  ')}  readonly ${field.name}: ${typeText(field.type)}\n`,
  )
  return `${comment(schema.doc, '')}export interface ${schema.name} {\n${fields.join('')}}\n`
}

function comment(doc: string | undefined, indent: string): string {
  return doc === undefined ? '' : `${indent}/** ${doc} */\n`
}

function typeText(schema: Schema): string {
  if (typeof schema === 'string') return nameText(schema)
  if (isUnion(schema)) return unionText(schema)
  if (schema.type === 'array') return arrayText(typeText(schema.items))
  if (schema.type === 'map') return `Readonly<Record<string, ${typeText(schema.values)}>>`
  return schema.name
}

function nameText(name: string): string {
  if (!isPrimitive(name)) return name.slice(name.lastIndexOf('.') + 1)
  const text = primitiveTypes[name]
  if (text === undefined) throw new Error(`${name} is not used in Tidemark's schemas`)
  return text
}

function arrayText(items: string): string {
  return items.includes(' ') ? `readonly (${items})[]` : `readonly ${items}[]`
}

function unionText(branches: readonly Schema[]): string {
  const texts = branches.map(typeText)
  if (texts.join() === 'null,boolean,number,string') return 'Value'
  return [...texts.filter((text) => text !== 'null'), ...texts.filter((text) => text === 'null')].join(' | ')
}

/**
 * Golden bytes: for each version of each record's schema one value and its Avro, to be read for ever. A golden that is
 * checked in is never changed. After a change of a schema run `node test/schemas/golden.ts`: it adds the next version.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type avro from 'avsc'
import { catalogue, isRecordName, type RecordName, recordNames } from '../../schemas/catalogue.ts'
import { parseSchema, recordCodec } from '../../services/runtime/codec/avro.ts'
import { examples } from './examples.ts'

export interface Golden {
  readonly record: RecordName
  readonly version: number
  /** The schema that wrote the bytes. */
  readonly schema: object
  /** In Avro's JSON encoding. */
  readonly value: unknown
  /** Avro binary, without the wire format's header. */
  readonly hex: string
}

const folder = join(import.meta.dirname, 'goldens')
const headerBytes = 5

if (import.meta.main) {
  const goldens = readGoldens()
  for (const name of recordNames) {
    const versions = goldens.filter(({ record }) => record === name)
    const latest = versions.at(-1)
    if (latest !== undefined && sameSchema(latest.schema, catalogue[name].schema)) continue
    const version = (latest?.version ?? 0) + 1
    writeFileSync(
      join(folder, fileName(name, version)),
      `${JSON.stringify(makeGolden(name, version), null, 1)}\n`,
    )
    process.stdout.write(`${name} version ${version}\n`)
  }
}

/** All goldens, by record and version. */
export function readGoldens(): Golden[] {
  const goldens = readdirSync(folder).map((file) => readGolden(file))
  return goldens.sort((a, b) =>
    a.record === b.record ? a.version - b.version : a.record < b.record ? -1 : 1,
  )
}

/** The text of a schema is compared: a changed doc is a new version in the registry too. */
export function sameSchema(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** The value that a golden's bytes stand for, read with the schema that wrote them. */
export function goldenValue({ schema, value }: Golden, type: avro.Type = parseSchema(schema)): unknown {
  return type.fromString(JSON.stringify(value))
}

function readGolden(file: string): Golden {
  const golden: Golden = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  if (!isRecordName(golden.record))
    throw new Error(`${file} holds ${golden.record}, which is no record any more`)
  if (file !== fileName(golden.record, golden.version))
    throw new Error(`${file} holds another record or version`)
  return golden
}

function makeGolden(record: RecordName, version: number): Golden {
  const { schema } = catalogue[record]
  const bytes = recordCodec(record).encode(examples[record], 0).subarray(headerBytes)
  const type = parseSchema(schema)
  return {
    record,
    version,
    schema,
    value: JSON.parse(type.toString(examples[record])),
    hex: bytes.toString('hex'),
  }
}

function fileName(record: RecordName, version: number): string {
  const kebab = record.replace(/(?!^)([A-Z])/g, '-$1').toLowerCase()
  return `${kebab}.v${version}.json`
}

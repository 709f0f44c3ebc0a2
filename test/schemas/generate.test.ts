import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { catalogue, recordNames, selfContained, valueSubject } from '../../schemas/catalogue.ts'
import { generate, readSchemas } from '../../schemas/generate.ts'
import type { RecordField, Schema } from '../../schemas/schema.ts'
import { isUnion, withSharedTypes } from '../../schemas/schema.ts'
import { parseSchema } from '../../services/runtime/codec/avro.ts'

const folder = join(import.meta.dirname, '../../schemas')

describe('the generated files', () => {
  it.each(Object.entries(generate()))('%s is what node schemas/generate.ts makes now', (path, text) => {
    expect(readFileSync(join(folder, path), 'utf8')).toBe(text)
  })
})

describe('every schema file', () => {
  const schemas = [...readSchemas()]

  it.each(schemas)('%s is in the namespace and says what it is, field by field', (_, schema) => {
    expect(schema.namespace).toBe('io.tidemark')
    expect(undocumented(schema)).toEqual([])
  })

  it.each(schemas)('%s gives every public enum a default, so that a symbol can be added', (_, schema) => {
    const internal = new Set(['JournalKind', 'PartKind', 'OutcomeKind', 'PaneKind'])
    expect(enumsWithoutDefault(schema).filter((name) => !internal.has(name))).toEqual([])
  })
})

describe('the catalogue', () => {
  it.each(recordNames)('%s stands by itself and keeps its documentation', (name) => {
    expect(() => parseSchema(catalogue[name].schema)).not.toThrow()
    expect(catalogue[name].schema.name).toBe(name)
    expect(JSON.stringify(catalogue[name].schema)).toContain('"doc"')
  })

  it('has every record schema that is not only a part of others', () => {
    const parts = new Set(['Origin', 'ReportWindow', 'Runtime', 'Share'])
    const records = [...readSchemas().values()].filter(
      ({ type, name }) => type === 'record' && !parts.has(name),
    )
    expect(recordNames.toSorted()).toEqual(records.map(({ name }) => name).toSorted())
  })

  it('names subjects by topic', () => {
    expect(valueSubject('flight-delay.predictions')).toBe('flight-delay.predictions-value')
  })

  it('refuses a name that only objects know', () => {
    expect(() => selfContained('toString')).toThrow('There is no record toString')
  })
})

describe('writing shared types out', () => {
  it('writes a type where it is first used and names it after that', () => {
    const part = { type: 'record', name: 'Part', namespace: 'io.tidemark', fields: [] } as const
    const fields = [
      { name: 'a', type: ['null', 'io.tidemark.Part'] },
      { name: 'b', type: { type: 'array', items: 'Part' } },
    ] as const
    const whole = withSharedTypes(
      { type: 'record', name: 'Whole', fields },
      new Map([['io.tidemark.Part', part]]),
    )
    expect(whole).toMatchObject({ fields: [{ type: ['null', part] }, { type: { items: 'Part' } }] })
  })

  it('names a type that nobody defines', () => {
    expect(() => withSharedTypes({ type: 'array', items: 'Missing' }, new Map())).toThrow(
      'No schema defines Missing',
    )
  })
})

function undocumented(schema: Schema): string[] {
  const missing: string[] = []
  visit(schema, (part, name) => {
    if (part.doc === undefined || part.doc.length < 8) missing.push(name)
  })
  return missing
}

function enumsWithoutDefault(schema: Schema): string[] {
  const missing: string[] = []
  visit(schema, (part, name) => {
    if ('symbols' in part && !('default' in part)) missing.push(name)
  })
  return missing
}

/** Calls for each named type and each field that is written out in a schema. */
function visit(schema: Schema, see: (part: { doc?: string } | RecordField, name: string) => void): void {
  if (typeof schema === 'string') return
  if (isUnion(schema)) for (const branch of schema) visit(branch, see)
  else if (schema.type === 'array') visit(schema.items, see)
  else if (schema.type === 'map') visit(schema.values, see)
  else {
    see(schema, schema.name)
    if (schema.type === 'enum') return
    for (const field of schema.fields) {
      see(field, `${schema.name}.${field.name}`)
      visit(field.type, see)
    }
  }
}

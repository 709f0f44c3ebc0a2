import type { Compatibility } from '../../schemas/catalogue.ts'
import { parseSchema } from '../../services/runtime/codec/avro.ts'

/**
 * Where a history of one record's schemas breaks its promise, in words; empty when it keeps it.
 * @param schemas oldest first
 */
export function brokenPromises(schemas: readonly object[], compatibility: Compatibility): string[] {
  const problems: string[] = []
  for (let newer = 1; newer < schemas.length; newer++) {
    const oldest = compatibility === 'FULL' ? newer - 1 : 0
    for (let older = oldest; older < newer; older++) {
      problems.push(...problemOf(schemas, newer, older), ...problemOf(schemas, older, newer))
    }
  }
  return problems
}

function problemOf(schemas: readonly object[], reader: number, writer: number): string[] {
  try {
    parseSchema(schemas[reader]).createResolver(parseSchema(schemas[writer]))
    return []
  } catch (error) {
    return [`version ${reader + 1} cannot read version ${writer + 1}: ${(error as Error).message}`]
  }
}

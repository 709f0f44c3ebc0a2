import { createHash } from 'node:crypto'
import { DefinitionError } from '../services/domain/definition-error.ts'
import type { Feature } from '../services/domain/feature/definition.ts'
import type { Topology } from './compiled.ts'

/**
 * JSON with sorted keys and no white space, so that equal data has equal text. Absent and undefined are the same;
 * −0 is 0. Whatever is no plain data is refused.
 */
export function canonicalJson(data: unknown): string {
  if (data === null || typeof data === 'boolean' || typeof data === 'string') return JSON.stringify(data)
  if (typeof data === 'number') {
    if (!Number.isFinite(data)) throw new DefinitionError(`${data} cannot be written as JSON`)
    return JSON.stringify(data)
  }
  if (Array.isArray(data)) return `[${data.map(canonicalJson).join(',')}]`
  if (typeof data !== 'object') throw new DefinitionError(`a ${typeof data} cannot be written as JSON`)
  const entries = Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}:${canonicalJson(value)}`)
  return `{${entries.join(',')}}`
}

/** sha256 of a text's UTF-8 bytes, or of bytes, in hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** What a topology is bound to: it changes with everything that is in the compiled form. */
export function hashTopology(topology: Topology): string {
  return sha256(canonicalJson(topology))
}

/** What a feature means: its calculation, default and version, but not who owns or how one describes it. */
export function hashFeature(feature: Feature): string {
  return sha256(canonicalJson(meaningOf(feature)))
}

/** What a set of features means, by name. */
export function hashFeatureSet(features: Readonly<Record<string, Feature>>): string {
  const meanings = Object.entries(features).map(([name, feature]) => [name, meaningOf(feature)])
  return sha256(canonicalJson(Object.fromEntries(meanings)))
}

function meaningOf({ owner, description, ...meaning }: Feature): object {
  return meaning
}

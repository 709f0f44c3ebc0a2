import type { Feature } from '../../services/domain/feature/definition.ts'
import type { Model } from '../compiled.ts'
import { durationMs } from '../duration.ts'
import type { ModelDefinition } from '../topology.ts'
import { demand, demandShare, demandWhole } from './rules.ts'

type Features = Readonly<Record<string, Feature>>

/** Models by name; the hashes that are not declared stay empty, for the loader to fill in from the manifest. */
export function compileModels(models: readonly ModelDefinition[], features: Features): readonly Model[] {
  const compiled = models
    .map((model) => compileModel(model, features))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  compiled.forEach((model, index) => {
    demand(model.name !== compiled[index - 1]?.name, `model ${model.name}`, 'is declared twice')
  })
  const champions = compiled.filter((model) => model.role === 'champion')
  demand(champions.length === 1, 'models', `exactly one is the champion, not ${champions.length}`)
  return compiled
}

/** Refuses a name that no feature has. */
export function demandFeature(name: string, features: Features, what: string): Feature {
  demand(Object.hasOwn(features, name), what, `no feature is called "${name}"`)
  return features[name]!
}

function compileModel(model: ModelDefinition, features: Features): Model {
  const what = `model ${model.name}`
  demand(/^[a-z][a-z0-9-]*$/.test(model.name), what, 'is no name: lower case, digits and - only')
  demandWhole(model.version, `${what}, version`)
  demandShare(model.threshold, `${what}, threshold`)
  demand(model.inputs.length > 0, what, 'has no inputs')
  demand(new Set(model.inputs).size === model.inputs.length, what, 'names an input twice')
  for (const input of model.inputs) demandNumeric(input, features, `${what}, inputs`)
  for (const fallback of model.fallback) {
    if ('rule' in fallback) demandNumeric(fallback.rule, features, `${what}, fallback`)
    else demandShare(fallback.constant, `${what}, fallback`)
  }
  const final = model.fallback.at(-1)
  demand(
    final !== undefined && 'constant' in final,
    what,
    'its last fallback has to be a constant, which cannot fail',
  )
  return {
    name: model.name,
    version: model.version,
    role: model.role ?? 'champion',
    file: inFolder(model.file, `${what}, file`),
    sha256: digest(model.sha256, `${what}, sha256`),
    profile: inFolder(model.profile, `${what}, profile`),
    profileSha256: digest(model.profileSha256, `${what}, profileSha256`),
    inputs: [...model.inputs],
    threshold: model.threshold,
    fallback: model.fallback.map((fallback) => ({ ...fallback })),
    deadlineMs: durationMs(model.deadline, `${what}, deadline`),
  }
}

function demandNumeric(name: string, features: Features, what: string): void {
  demand(
    demandFeature(name, features, what).type !== 'string',
    what,
    `"${name}" is text, and a model takes numbers`,
  )
}

function inFolder(path: string, what: string): string {
  const inside =
    path !== '' && !path.startsWith('/') && !/\\|^[A-Za-z]:/.test(path) && !path.split('/').includes('..')
  demand(inside, what, `"${path}" is no path inside the topology's folder`)
  return path
}

function digest(declared: string | undefined, what: string): string {
  demand(
    declared === undefined || /^[0-9a-f]{64}$/.test(declared),
    what,
    'is no sha256: 64 digits 0-9 and a-f',
  )
  return declared ?? ''
}

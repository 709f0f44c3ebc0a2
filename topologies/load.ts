import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DefinitionError } from '../services/domain/definition-error.ts'
import { hashTopology, sha256 } from './canonical.ts'
import { compile, isTopology } from './compile.ts'
import type { Model, Topology } from './compiled.ts'

export interface LoadOptions {
  /** `optional` before a model exists, as when its training set is made; what is missing then has an empty sha256. */
  readonly models?: 'required' | 'optional'
}

export interface LoadedTopology {
  readonly topology: Topology
  /** The folder of the topology's file, absolute: models and profiles are relative to it. */
  readonly folder: string
  readonly hash: string
}

const language = new URL(import.meta.url.endsWith('.ts') ? './tidemark.ts' : './tidemark.js', import.meta.url)
  .href
const folders = new Set<string>()

/**
 * Reads a topology from its file, wherever that is: `tidemark` need not be installed there. Every model file and
 * profile is checked against its sha256, which the topology declares, or else the `manifest.json` beside the file:
 * `{"files": {"late-arrival.onnx": "<sha256>", "profile.json": "<sha256>"}}`.
 * @throws DefinitionError of one line: no such file, no default export, not a topology, another sha256, …
 */
export async function loadTopology(path: string, options: LoadOptions = {}): Promise<LoadedTopology> {
  const file = fileOf(path)
  if (!existsSync(file))
    throw new DefinitionError(`${existsSync(path) ? join(path, 'topology.ts') : path}: no such file`)
  const definition = importDefault(file, path)
  if (!isTopology(definition))
    throw new DefinitionError(`${path}: its default export is not a topology: topology(name, {…}) makes one`)
  const folder = dirname(file)
  const compiled = inFile(path, () => compile(definition))
  const models = inFile(path, () =>
    compiled.models.map((model) => pinned(model, folder, options.models ?? 'required')),
  )
  const topology = { ...compiled, models }
  return { topology, folder, hash: hashTopology(topology) }
}

/** A folder stands for the `topology.ts` in it, or for what that was built to. */
function fileOf(path: string): string {
  const file = resolve(path)
  if (!existsSync(file) || !statSync(file).isDirectory()) return file
  const source = join(file, 'topology.ts')
  const built = join(file, 'topology.js')
  return !existsSync(source) && existsSync(built) ? built : source
}

/** Takes Node's own loader even where a test runner replaces `import()`: the file may be anywhere. */
function importDefault(file: string, path: string): unknown {
  resolveLanguage(dirname(file))
  let module: unknown
  try {
    module = createRequire(import.meta.url)(file)
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    throw new DefinitionError(`${path}: ${firstLine(problem)}`, { cause: error })
  }
  if (typeof module !== 'object' || module === null || !('default' in module))
    throw new DefinitionError(`${path}: has no default export`)
  return module.default
}

/**
 * Makes `import … from 'tidemark'` mean this package in every folder, and the TypeScript of a topology's folder a
 * module, whatever the package around it says.
 */
function resolveLanguage(folder: string): void {
  folders.add(pathToFileURL(`${folder}/`).href)
  if (folders.size > 1) return
  registerHooks({
    resolve(specifier, context, next) {
      return specifier === 'tidemark' ? { url: language, shortCircuit: true } : next(specifier, context)
    },
    load(url, context, next) {
      const ours = url.endsWith('.ts') && [...folders].some((folder) => url.startsWith(folder))
      return next(url, ours ? { ...context, format: 'module-typescript' } : context)
    },
  })
}

function pinned(model: Model, folder: string, need: 'required' | 'optional'): Model {
  return {
    ...model,
    sha256: pinnedFile(model, 'file', model.sha256, folder, need),
    profileSha256: pinnedFile(model, 'profile', model.profileSha256, folder, need),
  }
}

function pinnedFile(
  model: Model,
  part: 'file' | 'profile',
  declared: string,
  folder: string,
  need: 'required' | 'optional',
): string {
  const what = `model ${model.name}`
  const path = join(folder, model[part])
  const expected = declared || manifested(path, model[part])
  if (!existsSync(path)) {
    if (need === 'optional') return expected
    throw new DefinitionError(`${what}: there is no ${model[part]}`)
  }
  if (expected === '') {
    if (need === 'optional') return ''
    throw new DefinitionError(
      `${what}: neither the topology nor a manifest.json says the sha256 of ${model[part]}`,
    )
  }
  const actual = sha256(readFileSync(path))
  if (actual !== expected && need === 'required')
    throw new DefinitionError(`${what}: ${model[part]} has sha256 ${actual}, but ${expected} is declared`)
  return expected
}

/** The sha256 of a file by the `manifest.json` in its folder; empty when there is none. */
function manifested(path: string, shown: string): string {
  const file = join(dirname(path), 'manifest.json')
  if (!existsSync(file)) return ''
  const manifest = parsed(readFileSync(file, 'utf8'), `${dirname(shown)}/manifest.json`)
  const files = (manifest as { files?: Record<string, unknown> } | null)?.files ?? {}
  const name = shown.slice(shown.lastIndexOf('/') + 1)
  const found = Object.hasOwn(files, name) ? files[name] : ''
  if (typeof found === 'string' && /^([0-9a-f]{64})?$/.test(found)) return found
  throw new DefinitionError(`${dirname(shown)}/manifest.json: ${name} has no sha256`)
}

function parsed(json: string, shown: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new DefinitionError(`${shown}: is not JSON`)
  }
}

function inFile<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof DefinitionError) throw new DefinitionError(`${path}: ${error.message}`)
    throw error
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}

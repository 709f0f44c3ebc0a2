import { tidemarkError } from '../errors.ts'

/** What a model's training wrote beside its ONNX file: how to call it, and how to know that it is the same one. */
export interface ModelManifest {
  readonly format: 1
  readonly name: string
  readonly version: number
  /** File name beside the manifest. */
  readonly file: string
  readonly sha256: string
  readonly opset: Readonly<Record<string, number>>
  /** Feature names in the order of the input tensor's columns; the tensor is float32, [rows, columns]. */
  readonly inputs: readonly string[]
  readonly input: string
  /** The float32 tensor [rows, classes] that is fetched, and the column of it that is the score. */
  readonly output: { readonly name: string; readonly column: number }
  readonly threshold: number
  readonly golden: GoldenVectors
}

/** Rows of inputs with the scores that they must give, to within `tolerance`. */
export interface GoldenVectors {
  readonly tolerance: number
  readonly rows: readonly { readonly inputs: readonly number[]; readonly score: number }[]
}

/**
 * Reads a manifest; fields beyond those above (training, metrics, libraries) are for people and are not looked at.
 *
 * @throws TM_MODEL that names the field which is missing or wrong.
 */
export function parseManifest(text: string): ModelManifest {
  const manifest = parseObject(text)
  const demand = (ok: boolean, field: string, what: string) => {
    if (!ok) throw tidemarkError('TM_MODEL', `manifest, ${field}: ${what}`)
  }
  demand(manifest.format === 1, 'format', 'must be 1')
  demand(isText(manifest.name), 'name', 'must be a text')
  demand(Number.isSafeInteger(manifest.version), 'version', 'must be a whole number')
  demand(
    isText(manifest.file) && !/[/\\]/.test(manifest.file),
    'file',
    'must be a file name beside the manifest',
  )
  demand(isText(manifest.sha256) && /^[0-9a-f]{64}$/.test(manifest.sha256), 'sha256', 'must be 64 hex digits')
  demand(isListOf(manifest.inputs, isText) && manifest.inputs.length > 0, 'inputs', 'must be a list of names')
  demand(isText(manifest.input), 'input', 'must be the name of the input tensor')
  demand(isText(manifest.output?.name), 'output.name', 'must be the name of the output tensor')
  demand(isIndex(manifest.output?.column), 'output.column', 'must be a whole number from 0')
  demand(isShare(manifest.threshold), 'threshold', 'must lie within 0 to 1')
  demand(isOpset(manifest.opset), 'opset', 'must give a version for each operator set')
  const golden = manifest.golden
  demand(isNumber(golden?.tolerance) && golden.tolerance >= 0, 'golden.tolerance', 'must be a number from 0')
  demand(isListOf(golden?.rows, isGoldenRow(manifest)), 'golden.rows', 'each needs every input and a score')
  demand((golden?.rows.length ?? 0) > 0, 'golden.rows', 'must hold at least one row')
  return manifest as ModelManifest
}

type Unchecked = { readonly [field in keyof ModelManifest]?: ModelManifest[field] }

function parseObject(text: string): Unchecked {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  } catch (error) {
    throw tidemarkError('TM_MODEL', 'manifest: is not JSON', error)
  }
  throw tidemarkError('TM_MODEL', 'manifest: is not an object')
}

function isGoldenRow(manifest: Unchecked): (row: GoldenVectors['rows'][number]) => boolean {
  return (row) =>
    isListOf(row?.inputs, isNumber) && row.inputs.length === manifest.inputs?.length && isShare(row.score)
}

function isListOf<T>(value: unknown, holds: (item: T) => boolean): value is readonly T[] {
  return Array.isArray(value) && value.every(holds)
}

function isOpset(value: unknown): boolean {
  return typeof value === 'object' && value !== null && isListOf(Object.values(value), Number.isSafeInteger)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isIndex(value: unknown): value is number {
  return isNumber(value) && Number.isSafeInteger(value) && value >= 0
}

function isShare(value: unknown): value is number {
  return isNumber(value) && value >= 0 && value <= 1
}

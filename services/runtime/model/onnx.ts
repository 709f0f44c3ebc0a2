import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { tidemarkError } from '../errors.ts'
import type { ModelManifest } from './manifest.ts'
import { parseManifest } from './manifest.ts'

/** What the applied topology says about the model; the file and its manifest must agree with it. */
export interface ModelBinding {
  readonly name: string
  readonly version: number
  /** Hash of the ONNX file; empty only where the topology was loaded without one, which is refused here. */
  readonly sha256: string
  /** Feature names in the order of the model's input columns. */
  readonly inputs: readonly string[]
}

export interface LoadedModel {
  readonly manifest: ModelManifest
  /** {@link batchLimit}, or 1 for a model whose scores would depend on the batch. */
  readonly rowsPerRun: number
  /**
   * Scores `rows` rows that lie one after another in `slab` (float32, row-major). Runs in batches of at most
   * `rowsPerRun` rows, between which the event loop turns. The slab must not change until the promise settles.
   */
  scoreBatch(slab: Float32Array, rows: number): Promise<Float32Array>
  close(): Promise<void>
}

/** A native run blocks the thread, so a batch is short: 128 rows of 100 trees take half a millisecond. */
export const batchLimit = 128

/**
 * Loads a model by the hash of its bytes: the file is read once, and what was hashed is what runs. The manifest is
 * `manifest.json` beside it, unless another name is given. The model is warm, and has given its golden scores, before this returns.
 *
 * One thread and sequential execution: an idle model then burns no processor time. Trees score a row the same in any
 * batch; vectorised arithmetic (linear models, networks) may differ in the last bit, so a model that is caught at it
 * scores row by row: which batch a row is in depends on the moment, and a score must not.
 *
 * @throws TM_MODEL that says what does not fit.
 */
export async function loadModel(
  file: string,
  binding: ModelBinding,
  manifestName = 'manifest.json',
): Promise<LoadedModel> {
  const manifest = parseManifest(await readText(join(dirname(file), manifestName)))
  checkBinding(manifest, binding)
  const bytes = await readBytes(file)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== binding.sha256)
    throw modelError(binding, `the file has sha256 ${sha256}, not ${binding.sha256}`)
  const session = await createSession(bytes, binding)
  try {
    checkSignature(session, manifest)
    const batched = wrap(session, manifest, batchLimit)
    await checkGolden(batched, manifest)
    return (await isBatchInvariant(batched)) ? batched : wrap(session, manifest, 1)
  } catch (error) {
    await session.release()
    throw error
  }
}

function wrap(session: InferenceSession, manifest: ModelManifest, rowsPerRun: number): LoadedModel {
  const width = manifest.inputs.length
  const { name, column } = manifest.output

  async function scoreBatch(slab: Float32Array, rows: number): Promise<Float32Array> {
    const scores = new Float32Array(rows)
    for (let from = 0; from < rows; from += rowsPerRun) {
      const count = Math.min(rowsPerRun, rows - from)
      const batch = slab.subarray(from * width, (from + count) * width)
      const feeds = { [manifest.input]: new Tensor('float32', batch, [count, width]) }
      const { data, dims } = (await session.run(feeds, [name]))[name]!
      const classes = dims[1] ?? 1
      for (let row = 0; row < count; row++) scores[from + row] = data[row * classes + column] as number
    }
    return scores
  }

  return { manifest, rowsPerRun, scoreBatch, close: () => session.release() }
}

async function createSession(bytes: Uint8Array, binding: ModelBinding): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
    })
  } catch (error) {
    throw modelError(binding, `ONNX Runtime refuses the file: ${firstLine(error)}`, error)
  }
}

function checkBinding(manifest: ModelManifest, binding: ModelBinding): void {
  const differ = (what: string, found: unknown, wanted: unknown) => {
    if (found !== wanted)
      throw modelError(binding, `the manifest's ${what} is ${found}, the topology's ${wanted}`)
  }
  differ('name', manifest.name, binding.name)
  differ('version', manifest.version, binding.version)
  differ('sha256', manifest.sha256, binding.sha256)
  differ('number of inputs', manifest.inputs.length, binding.inputs.length)
  manifest.inputs.forEach((input, column) => {
    differ(`input ${column}`, input, binding.inputs[column])
  })
}

function checkSignature(session: InferenceSession, manifest: ModelManifest): void {
  const width = manifest.inputs.length
  const [input, ...more] = session.inputMetadata
  if (input === undefined || more.length > 0 || input.name !== manifest.input) {
    const names = session.inputNames.join(', ')
    throw modelError(manifest, `it must have the one input "${manifest.input}"; it has ${names}`)
  }
  demandTensor(manifest, input, width)
  const output = session.outputMetadata.find(({ name }) => name === manifest.output.name)
  if (output === undefined) {
    throw modelError(
      manifest,
      `no output is called "${manifest.output.name}"; there are ${session.outputNames}`,
    )
  }
  demandTensor(manifest, output, undefined)
}

/** A float32 matrix, with as many columns as given; a symbolic dimension fits any number. */
function demandTensor(
  manifest: ModelManifest,
  metadata: InferenceSession.ValueMetadata,
  columns: number | undefined,
): void {
  if (!metadata.isTensor) {
    throw modelError(manifest, `"${metadata.name}" is no tensor; export the model without ZipMap`)
  }
  const [rows, width, ...more] = metadata.shape
  const fits =
    columns === undefined ? fitsColumn(manifest, width) : width === columns || typeof width === 'string'
  if (metadata.type !== 'float32' || more.length > 0 || typeof rows === 'number' || !fits) {
    const shape = metadata.shape.join(', ')
    throw modelError(
      manifest,
      `"${metadata.name}" is ${metadata.type} [${shape}], which does not fit the manifest`,
    )
  }
}

function fitsColumn(manifest: ModelManifest, width: number | string | undefined): boolean {
  return typeof width === 'number' ? manifest.output.column < width : width !== undefined
}

async function checkGolden(model: LoadedModel, manifest: ModelManifest): Promise<void> {
  const { rows, tolerance } = manifest.golden
  const scores = await model.scoreBatch(Float32Array.from(rows.flatMap(({ inputs }) => inputs)), rows.length)
  for (const [row, { score }] of rows.entries()) {
    const given = scores[row] ?? Number.NaN
    if (Math.abs(given - score) <= tolerance) continue
    throw modelError(manifest, `golden vector ${row} gives ${given}, not ${score}`)
  }
}

/** Scores golden rows, each moved a little, alone and in company: equal to the bit? This also warms the model. */
async function isBatchInvariant(model: LoadedModel): Promise<boolean> {
  const { inputs, golden } = model.manifest
  const rows = Array.from({ length: batchLimit }, (_, row) =>
    golden.rows[row % golden.rows.length]!.inputs.map((input, column) => input + Math.sin(row * 7 + column)),
  )
  const slab = Float32Array.from(rows.flat())
  const together = await model.scoreBatch(slab, batchLimit)
  for (let row = 0; row < batchLimit; row++) {
    const from = row * inputs.length
    const [alone] = await model.scoreBatch(slab.subarray(from, from + inputs.length), 1)
    if (!Object.is(alone, together[row])) return false
  }
  return true
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (error) {
    throw tidemarkError('TM_MODEL', `cannot read ${file}: ${firstLine(error)}`, error)
  }
}

async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file))
}

function modelError(model: Pick<ModelBinding, 'name' | 'version'>, detail: string, cause?: unknown) {
  return tidemarkError('TM_MODEL', `${model.name} version ${model.version}: ${detail}`, cause)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? ''
}

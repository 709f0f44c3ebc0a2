import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Value } from '../../../services/domain/event/contract.ts'
import { compileExpression } from '../../../services/domain/feature/expression.ts'
import type { Model as ModelSpec } from '../../../topologies/compiled.ts'
import type { Stage, TaskSpec } from '../../../topologies/plan.ts'
import type { Fields } from './avro.ts'
import { cellOf, type Frame } from './cells.ts'
import type { AuditContext } from './context.ts'
import type { Model, Step } from './task-replay.ts'

type Vector = {
  readonly id: string
  readonly time: number
  readonly late: boolean
  readonly featureSet: string
  readonly values: Readonly<Record<string, Value>>
  readonly statuses: Readonly<Record<string, string>>
  readonly event: Readonly<Record<string, Value>>
}

/** The model's answer to a vector, or why it was not asked. */
type Answer = { readonly score: number } | { readonly refusal: string }

interface Profile {
  readonly features: Readonly<Record<string, Frame>>
  readonly score: Frame
}

/** Answers for a few vectors at a time, as a run of the model gives them. */
export type Scorer = (vectors: readonly Vector[]) => Promise<Answer[]>

/** Opens the champion once more, outside the services: the file by its hash, one run for each few vectors. */
export async function openScorer({ topology, folder }: AuditContext): Promise<Scorer> {
  const model = championOf(topology.models)
  const file = join(folder, model.file)
  const bytes = readFileSync(file)
  if (createHash('sha256').update(bytes).digest('hex') !== model.sha256)
    throw new Error(`${file} is another model`)
  const { input, output } = JSON.parse(readFileSync(join(dirname(file), 'manifest.json'), 'utf8')) as {
    readonly input: string
    readonly output: { readonly name: string; readonly column: number }
  }
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, executionMode: 'sequential' })
  return async (vectors) => {
    const rows = vectors.map((vector) => rowOf(model.inputs, vector))
    const usable = rows.filter((row) => typeof row !== 'string')
    const scores: number[] = []
    if (usable.length > 0) {
      const tensor = new Tensor('float32', Float32Array.from(usable.flat()), [
        usable.length,
        model.inputs.length,
      ])
      const { data, dims } = (await session.run({ [input]: tensor }, [output.name]))[output.name]!
      const width = dims[1] ?? 1
      usable.forEach((_, row) => {
        scores.push(data[row * width + output.column] as number)
      })
    }
    return rows.map((row) => (typeof row === 'string' ? { refusal: row } : { score: scores.shift()! }))
  }
}

/** Every vector has one prediction: scored again, put into cells again. */
export function scoreModel(context: AuditContext, stage: Stage, task: TaskSpec, scorer: Scorer): Model {
  const { topology, folder } = context
  const model = championOf(topology.models)
  const { topic } = stage.outputs['predictions']!
  const describe = compilePrediction(context, model, readProfile(folder, model))
  let answers = new Map<Step, Answer>()
  return {
    async prepare(steps) {
      const given = await scorer(steps.map(({ fields }) => fields as unknown as Vector))
      answers = new Map(steps.map((step, at) => [step, given[at]!]))
    },
    turn(step) {
      const vector = step.fields as unknown as Vector
      const answer = answers.get(step)!
      const { id } = vector
      const watermark = step.watermark
      const value = { ...describe(vector, serve(model, vector, answer)), watermark }
      // That a model took too long is known to the one who waited for it, and to nobody afterwards.
      const given = (actual: Fields) => {
        const reason = actual['fallbackReason']
        const isOfTheMoment = 'score' in answer && (reason === 'timeout' || reason === 'error')
        return isOfTheMoment ? { ...describe(vector, fallBack(model, vector, reason)), watermark } : value
      }
      return [
        { topic, key: id, by: { partition: task.partition }, value, given, what: `the prediction of ${id}` },
      ]
    },
  }
}

function championOf(models: readonly ModelSpec[]): ModelSpec {
  return models.find(({ role }) => role === 'champion')!
}

function readProfile(folder: string, model: ModelSpec): Profile {
  return JSON.parse(readFileSync(join(folder, model.profile), 'utf8')) as Profile
}

interface Served {
  readonly servedBy: string
  readonly score: number
  readonly fallbackReason: string | null
}

function serve(model: ModelSpec, vector: Vector, answer: Answer): Served {
  if ('refusal' in answer) return fallBack(model, vector, `invalid-input: ${answer.refusal}`)
  const { score } = answer
  const isUsable = Number.isFinite(score) && score >= 0 && score <= 1
  return isUsable
    ? { servedBy: 'model', score, fallbackReason: null }
    : fallBack(model, vector, 'invalid-output')
}

function fallBack({ fallback }: ModelSpec, vector: Vector, fallbackReason: string): Served {
  for (const step of fallback) {
    if ('constant' in step) return { servedBy: 'constant', score: step.constant, fallbackReason }
    const { value, status } = featureOf(vector, step.rule)
    const isKnown = status !== 'missing' && status !== 'invalid'
    if (isKnown && typeof value === 'number' && value >= 0 && value <= 1)
      return { servedBy: 'rule', score: value, fallbackReason }
  }
  throw new Error('the fallback does not end in a constant')
}

function featureOf({ values, statuses }: Vector, name: string): { value: Value; status: string } {
  const value = Object.hasOwn(values, name) ? values[name]! : null
  const status = Object.hasOwn(statuses, name) ? statuses[name] : undefined
  return { value, status: status ?? (value === null ? 'missing' : 'value') }
}

/** A row of numbers, or why the model may not see it. */
function rowOf(inputs: readonly string[], vector: Vector): number[] | string {
  const row: number[] = []
  for (const name of inputs) {
    const { value, status } = featureOf(vector, name)
    if (status === 'missing' || status === 'invalid') return `${name} is ${status}`
    if (value === null) return `${name} is missing`
    if (typeof value === 'string') return `${name} is text`
    if (!Number.isFinite(Math.fround(Number(value)))) return `${name} is not finite`
    row.push(Number(value))
  }
  return row
}

function compilePrediction({ topology, hash }: AuditContext, model: ModelSpec, profile: Profile) {
  const inputs = [...model.inputs].sort()
  const log = [...topology.log].sort()
  const segments = Object.keys(topology.segments)
    .sort()
    .map((name) => [name, compileExpression(topology.segments[name]!)] as const)
  return (vector: Vector, { servedBy, score, fallbackReason }: Served): Fields => {
    const { id, time, late, featureSet, event } = vector
    const cells = new Map([['__score__', cellOf(profile.score, score, 'value')]])
    for (const name of inputs) {
      const frame = profile.features[name]
      const { value, status } = featureOf(vector, name)
      if (frame !== undefined) cells.set(name, cellOf(frame, value, status))
    }
    const sortedCells = [...cells].sort(([left], [right]) => (left < right ? -1 : 1))
    const identity = { topology: topology.name, topologyHash: hash, featureSet }
    const served = { model: model.name, modelVersion: model.version, modelSha256: model.sha256 }
    return {
      predictionId: `${topology.name}/${model.name}/${model.version}/${id}`,
      ...{ id, time, late, ...identity, ...served, servedBy, fallbackReason, score },
      ...{ decision: score >= model.threshold, threshold: model.threshold, profile: model.profileSha256 },
      cells: Object.fromEntries(sortedCells),
      statuses: Object.fromEntries(inputs.map((name) => [name, featureOf(vector, name).status])),
      values: Object.fromEntries(log.map((name) => [name, featureOf(vector, name).value])),
      segments: Object.fromEntries(segments.map(([name, of]) => [name, String(of(event) ?? 'unknown')])),
    }
  }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Model } from '../../topologies/compiled.ts'
import { type Composition, plannedStage } from '../composition.ts'
import { compileExpression } from '../domain/feature/expression.ts'
import { type PreparedScore, prepareScores } from '../domain/prediction/prepare.ts'
import { type Cells, scoreCellName, scoreOperator } from '../domain/prediction/score.ts'
import type { FeatureVector } from '../domain/prediction/vector.ts'
import { cellOf, type ReferenceProfile } from '../domain/report/profile.ts'
import { loadModel } from '../runtime/model/onnx.ts'
import { readInternal } from '../runtime/read.ts'
import { type Stage, writersOf } from '../runtime/stage.ts'
import type { Input } from '../runtime/turns.ts'

/** One stage: every vector is scored once, by the champion. */
export async function predictions(composition: Composition): Promise<Stage[]> {
  const { topology, hash, folder, bytes } = composition
  const model = topology.models.find(({ role }) => role === 'champion')!
  const served = await loadModel(join(folder, model.file), model)
  const segments = Object.entries(topology.segments).map(
    ([name, of]) => [name, compileExpression(of)] as const,
  )
  const read = readInternal<FeatureVector>(bytes, 'FeatureVector')
  const stage: Stage<PreparedScore> = {
    ...plannedStage(composition, 'score'),
    idleMs: Number.POSITIVE_INFINITY,
    delayMs: 0,
    timekeepers: writersOf,
    operator: () =>
      scoreOperator({
        topology: { name: topology.name, hash },
        featureSet: topology.featureSet,
        model,
        cells: readCells(folder, model),
        segments: Object.fromEntries(segments),
        log: topology.log,
      }),
    async read(records) {
      const inputs = await read(records)
      const vectors = inputs.flatMap((input) => (input.kind === 'mark' ? [] : [input.record]))
      const prepared = (await prepareScores(model.inputs, served.scoreBatch, vectors))[Symbol.iterator]()
      return inputs.map(
        (input): Input<PreparedScore> =>
          input.kind === 'mark' ? input : { ...input, record: prepared.next().value! },
      )
    },
  }
  return [stage]
}

function readCells(folder: string, model: Model): Cells {
  const profile = JSON.parse(readFileSync(join(folder, model.profile), 'utf8')) as ReferenceProfile
  return {
    hash: model.profileSha256,
    cellOf: (feature, value, status) => cellOf(profile, feature, value, status),
    scoreCell: (score) => cellOf(profile, scoreCellName, score)!,
  }
}

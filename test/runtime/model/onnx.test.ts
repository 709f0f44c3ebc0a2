import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ModelManifest } from '../../../services/runtime/model/manifest.ts'
import type { ModelBinding } from '../../../services/runtime/model/onnx.ts'
import { loadModel } from '../../../services/runtime/model/onnx.ts'
import type { TinyModel } from './tiny-onnx.ts'
import { tinyOnnx } from './tiny-onnx.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-model-'))
})
afterAll(() => rm(folder, { recursive: true }))

const tiny: TinyModel = { weights: [0.5, -0.25, 2], bias: 0.1 }
const sigmoid = (row: readonly number[]) =>
  1 / (1 + Math.exp(-row.reduce((sum, input, column) => sum + input * tiny.weights[column]!, tiny.bias)))
const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')

/** Writes a model and its manifest, and gives the binding that fits; `changes` go into the manifest. */
async function write(content: Uint8Array, changes: Partial<ModelManifest> = {}): Promise<ModelBinding> {
  const inputs = [1, 2, 3]
  const binding = { name: 'tiny', version: 1, sha256: sha256(content), inputs: ['a', 'b', 'c'] }
  const manifest: ModelManifest = {
    ...binding,
    format: 1,
    file: 'tiny.onnx',
    opset: { 'ai.onnx': 15, 'ai.onnx.ml': 3 },
    input: 'input',
    output: { name: 'probabilities', column: 1 },
    threshold: 0.5,
    golden: { tolerance: 1e-6, rows: [{ inputs, score: sigmoid(inputs) }] },
    ...changes,
  }
  await writeFile(join(folder, 'tiny.onnx'), content)
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest))
  return binding
}

const load = (binding: ModelBinding) => loadModel(join(folder, 'tiny.onnx'), binding)

describe('a model from an ONNX file', () => {
  it('scores rows as its formula says, and a row the same in any company', async () => {
    const model = await load(await write(tinyOnnx(tiny)))
    const rows = Array.from({ length: 300 }, (_, row) => [Math.sin(row), row / 100, Math.cos(row * row)])
    const together = await model.scoreBatch(Float32Array.from(rows.flat()), rows.length)
    expect(together).toHaveLength(300)
    for (const [index, row] of rows.entries()) {
      const [alone] = await model.scoreBatch(Float32Array.from(row), 1)
      expect(together[index]).toBe(alone)
      expect(alone).toBeCloseTo(sigmoid(row), 6)
    }
    expect(await model.scoreBatch(new Float32Array(), 0)).toHaveLength(0)
    expect(model.rowsPerRun).toBe(1)
    await model.close()
  })

  it('is refused when its bytes are not those of the topology', async () => {
    const binding = await write(tinyOnnx(tiny))
    await writeFile(join(folder, 'tiny.onnx'), tinyOnnx({ ...tiny, bias: 0.2 }))
    await expect(load(binding)).rejects.toMatchObject({ code: 'TM_MODEL' })
    await expect(load(binding)).rejects.toThrow(/tiny version 1: the file has sha256 [0-9a-f]{64}, not/)
  })

  it('is refused when the topology names other inputs, another version or another file', async () => {
    const binding = await write(tinyOnnx(tiny))
    await expect(load({ ...binding, inputs: ['a', 'c', 'b'] })).rejects.toThrow(
      "input 1 is b, the topology's c",
    )
    await expect(load({ ...binding, inputs: ['a', 'b'] })).rejects.toThrow('number of inputs is 3')
    await expect(load({ ...binding, version: 2 })).rejects.toThrow("version is 1, the topology's 2")
    await expect(load({ ...binding, sha256: '' })).rejects.toThrow('sha256')
    await expect(loadModel(join(folder, 'none', 'tiny.onnx'), binding)).rejects.toThrow(
      /cannot read .*ENOENT/,
    )
  })

  it('is refused when it does not give its golden scores', async () => {
    const rows = [{ inputs: [1, 2, 3], score: 0.25 }]
    const binding = await write(tinyOnnx(tiny), { golden: { tolerance: 1e-6, rows } })
    await expect(load(binding)).rejects.toThrow(/golden vector 0 gives 0\.99776\d*, not 0\.25/)
  })

  it('is refused when its tensors are not as the manifest says', async () => {
    await expect(load(await write(tinyOnnx({ ...tiny, inputName: 'x' })))).rejects.toThrow(
      'one input "input"; it has x',
    )
    await expect(load(await write(tinyOnnx({ ...tiny, weights: [1, 2] })))).rejects.toThrow(
      'float32 [rows, 2]',
    )
    await expect(load(await write(tinyOnnx({ ...tiny, zipMap: true })))).rejects.toThrow('without ZipMap')
    const other = await write(tinyOnnx(tiny), { output: { name: 'output', column: 1 } })
    await expect(load(other)).rejects.toThrow('no output is called "output"; there are label,probabilities')
    const column = await write(tinyOnnx(tiny), { output: { name: 'probabilities', column: 2 } })
    await expect(load(column)).rejects.toThrow('does not fit the manifest')
    const label = await write(tinyOnnx(tiny), { output: { name: 'label', column: 0 } })
    await expect(load(label)).rejects.toThrow('"label" is int64')
  })

  it('is refused when the file is no ONNX model at all', async () => {
    await expect(load(await write(Uint8Array.of(1, 2, 3)))).rejects.toThrow('ONNX Runtime refuses the file')
  })
})

describe('every model in the topologies', async () => {
  const topologies = new URL('../../../topologies/', import.meta.url)
  const folders = (await readdir(topologies, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const files = folders.flatMap(({ name }) => [`${name}/model/manifest.json`, `${name}/model/simple.json`])
  const manifests = files.filter((file) => existsSync(new URL(file, topologies)))
  for (const manifest of manifests) {
    it(`${manifest} loads by its own hash and gives its golden scores`, async () => {
      const path = new URL(manifest, topologies)
      const binding = JSON.parse(await readFile(path, 'utf8'))
      const model = await loadModel(new URL(binding.file, path).pathname, binding, basename(manifest))
      expect(model.manifest.inputs).toEqual(binding.inputs)
      await model.close()
    })
  }
  it('are found by their manifests', () => expect(folders.length).toBeGreaterThan(0))
})

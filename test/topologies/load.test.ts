import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DefinitionError } from '../../services/domain/definition-error.ts'
import { hashTopology } from '../../topologies/canonical.ts'
import { loadTopology } from '../../topologies/load.ts'

const root = mkdtempSync(join(tmpdir(), 'tidemark-load-'))
afterAll(() => rmSync(root, { recursive: true }))

const source = `
import { count, entity, event, string, timestamp, topology } from 'tidemark'
import { horizon } from './horizon.ts'
const visit = event('visits', {
  id: 'id', time: 'at', lateness: '1m', fields: { id: string(), at: timestamp(), page: entity('page', string()) },
})
export default topology('visits', {
  version: 1, owner: 'web@example.org', score: visit,
  features: { visits: count(visit).by(visit.page).over('1h') },
  label: { name: 'bought', from: visit, value: visit.page.equals('thanks'), joins: { id: visit.id }, horizon },
  model: {
    name: 'buyer', version: 1, file: 'model/buyer.onnx', profile: 'model/profile.json', inputs: ['visits'],
    threshold: 0.5, fallback: [{ constant: 0 }], deadline: '1s',
  },
  monitors: {
    metric: 'auc', tolerance: { relativeDrop: 0.1, for: '1d' }, critical: [], coverage: { atLeast: 0.9 },
    playbooks: { harm: 'retrain' },
  },
})
`
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const files = { 'buyer.onnx': sha256('onnx'), 'profile.json': sha256('{}') }

/** A folder outside the repository with these files, by name. */
function folderOf(name: string, contents: Record<string, string>): string {
  for (const [file, text] of Object.entries(contents)) {
    mkdirSync(join(root, name, file, '..'), { recursive: true })
    writeFileSync(join(root, name, file), text)
  }
  return join(root, name)
}

const topologyFiles = { 'topology.ts': source, 'horizon.ts': "export const horizon: '1h' = '1h'\n" }
const modelFiles = { 'model/buyer.onnx': 'onnx', 'model/profile.json': '{}' }
const manifest = (content: unknown) => ({ 'model/manifest.json': JSON.stringify(content) })

describe('a topology in a folder outside the repository', () => {
  test.each(['{}', '{"type":"commonjs"}', '{"type":"module"}'])(
    'loads beside a package.json of %s',
    async (packageJson) => {
      const name = `package-${packageJson.length}`
      const folder = folderOf(name, {
        ...topologyFiles,
        ...modelFiles,
        ...manifest({ files }),
        'package.json': packageJson,
      })
      const loaded = await loadTopology(join(folder, 'topology.ts'))
      expect(loaded.folder).toBe(folder)
      expect((await loadTopology(folder)).hash).toBe(loaded.hash)
      expect(loaded.hash).toBe(hashTopology(loaded.topology))
      expect(loaded.topology.label.horizonMs).toBe(3_600_000)
      expect(loaded.topology.models[0]).toMatchObject({
        sha256: files['buyer.onnx'],
        profileSha256: files['profile.json'],
      })
    },
  )

  test('loads before its model exists when models are optional, and its features are the same afterwards', async () => {
    const folder = folderOf('early', topologyFiles)
    const path = join(folder, 'topology.ts')
    const early = await loadTopology(path, { models: 'optional' })
    expect(early.topology.models[0]).toMatchObject({ sha256: '', profileSha256: '' })
    await expect(loadTopology(path)).rejects.toThrow(`${path}: model buyer: there is no model/buyer.onnx`)
    folderOf('early', { ...modelFiles, ...manifest({ files }) })
    const late = await loadTopology(path)
    expect(late.topology.featureSet).toBe(early.topology.featureSet)
    expect(late.hash).not.toBe(early.hash)
  })
})

describe('a model file', () => {
  const problem = async (name: string, contents: Record<string, string>) => {
    const path = join(folderOf(name, { ...topologyFiles, ...contents }), 'topology.ts')
    const error: unknown = await loadTopology(path).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(DefinitionError)
    return (error as Error).message.slice(path.length + 2)
  }

  test('has to be pinned', async () => {
    const unpinned =
      'model buyer: neither the topology nor a manifest.json says the sha256 of model/buyer.onnx'
    expect(await problem('unpinned', modelFiles)).toBe(unpinned)
    expect(await problem('unnamed', { ...modelFiles, ...manifest({ files: {} }) })).toBe(unpinned)
  })

  test('has to be the one that was pinned', async () => {
    const other = { ...modelFiles, 'model/profile.json': '{ }', ...manifest({ files }) }
    expect(await problem('changed', other)).toBe(
      `model buyer: model/profile.json has sha256 ${sha256('{ }')}, but ${files['profile.json']} is declared`,
    )
  })

  test('needs a manifest that can be read', async () => {
    expect(await problem('broken', { ...modelFiles, 'model/manifest.json': '{' })).toBe(
      'model/manifest.json: is not JSON',
    )
    expect(await problem('odd', { ...modelFiles, ...manifest({ files: { 'buyer.onnx': 'abc' } }) })).toBe(
      'model/manifest.json: buyer.onnx has no sha256',
    )
  })
})

describe('a file that is no topology is refused in one line', () => {
  test.each([
    ['nothing.ts', 'export const x = 1\n', 'has no default export'],
    [
      'number.ts',
      'export default 1\n',
      'its default export is not a topology: topology(name, {…}) makes one',
    ],
    [
      'missing.ts',
      "import x from 'nowhere-at-all'\nexport default x\n",
      "Cannot find package 'nowhere-at-all'",
    ],
    ['syntax.ts', 'export default {\n', ''],
    ['throws.ts', "throw new Error('one\\ntwo')\n", 'one'],
    ['definition.ts', "import { integer } from 'tidemark'\ninteger().lost.more\n", 'Cannot read properties'],
  ])('%s', async (file, text, message) => {
    const path = join(folderOf('wrong', { [file]: text }), file)
    const error: unknown = await loadTopology(path).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(DefinitionError)
    expect((error as Error).message).toContain(`${path}: ${message}`)
    expect((error as Error).message).not.toContain('\n')
  })

  test('nor one that is not there', async () => {
    await expect(loadTopology(join(root, 'gone.ts'))).rejects.toThrow(
      `${join(root, 'gone.ts')}: no such file`,
    )
    await expect(loadTopology(root)).rejects.toThrow(DefinitionError)
  })
})

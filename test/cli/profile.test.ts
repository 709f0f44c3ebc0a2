import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CellValue, FeatureFrame, FeatureStatus } from '../../services/domain/report/cell.ts'
import { guardCells } from '../../services/domain/report/cell.ts'
import type { ReferenceProfile } from '../../services/domain/report/profile.ts'
import { canonicalJson, sha256 } from '../../topologies/canonical.ts'
import { loadTopology } from '../../topologies/load.ts'
import { seeded } from '../domain/report/random.ts'
import { type Ended, startChild, within } from '../end-to-end/command.ts'
import { root } from '../tidy/files.ts'

interface Row {
  readonly id: string
  readonly values: Record<string, CellValue>
  readonly statuses: Record<string, FeatureStatus>
  readonly segments: Record<string, string>
  readonly label: boolean | null
}

const folder = mkdtempSync(join(tmpdir(), 'tidemark-profile-'))
afterAll(() => rmSync(folder, { recursive: true }))
const flightDelay = join(root, 'topologies', 'flight-delay')
const shipped = readManifest(flightDelay)
const inputs = shipped['inputs'] as string[]
const rows = someRows(300)
/** One row in ten has none, as before the first fold of training; two are of rows that are not there. */
const scores = [
  ...scoresOf(rows.filter((_, index) => index % 10 !== 0)),
  ...scoresOf(someRows(302).slice(300)),
]
const scoreById = new Map(scores.map(({ id, score }) => [id, score]))
const scored = rows.filter(({ id }) => scoreById.has(id))

describe('the profile of rows that have a score', { timeout: 60_000 }, () => {
  const topology = copyTopology('counted')
  let ended: Ended
  let text: string
  let profile: ReferenceProfile

  beforeAll(async () => {
    ended = await makeProfile(topology, jsonLines('rows', rows), jsonLines('scores', scores))
    text = readFileSync(join(topology, 'model', 'profile.json'), 'utf8')
    profile = JSON.parse(text) as ReferenceProfile
  }, 60_000)

  it('is written as canonical JSON, and its sha256 is told', () => {
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toBe(`${scored.length} rows, profile ${sha256(text)}\n`)
    expect(text).toBe(`${canonicalJson(profile)}\n`)
    expect(profile.n).toBe(scored.length)
  })

  it('counts for every input, in all and by segment, what a recount counts', () => {
    expect(Object.keys(profile.features).toSorted()).toEqual(inputs.toSorted())
    expect(Object.keys(profile.counts).toSorted()).toEqual(['__score__', ...inputs].toSorted())
    for (const name of inputs) {
      const frame = profile.features[name]!
      const recount = recounted(scored, (row) => cellName(frame, row.values[name]!, row.statuses[name]!))
      expect(named(profile.counts[name]!, frame), name).toEqual(recount)
    }
  })

  it('counts the scores, and those of labelled and of positive rows, as a recount does', () => {
    const ofScore = (row: Row) => cellName(profile.score, scoreById.get(row.id)!, 'value')
    const labelled = scored.filter(({ label }) => label !== null)
    const positives = scored.filter(({ label }) => label === true)
    expect(named(profile.counts['__score__']!, profile.score)).toEqual(recounted(scored, ofScore))
    expect(named(profile.labelled, profile.score)).toEqual(recounted(labelled, ofScore))
    expect(named(profile.positives, profile.score)).toEqual(recounted(positives, ofScore))
    expect(profile.baseRate).toBeCloseTo(positives.length / labelled.length, 12)
    expect(labelled.length).toBeLessThan(scored.length)
  })

  it('is pinned in the manifest, in which nothing else changes, and the topology loads with it', async () => {
    const files = { ...(shipped['files'] as object), 'profile.json': sha256(text) }
    expect(readManifest(topology)).toEqual({ ...shipped, files })
    const { models } = (await loadTopology(topology)).topology
    expect(models.map(({ profileSha256 }) => profileSha256)).toEqual([sha256(text)])
  })
})

describe('what no profile can be made of', { timeout: 60_000 }, () => {
  it.each<[string, string, string, string]>([
    [
      'rows that are not JSON',
      `${JSON.stringify(rows[1])}\n{"id": \n`,
      `${JSON.stringify(scores[0])}\n`,
      'rows',
    ],
    ['scores that are not JSON', `${JSON.stringify(rows[1])}\n`, 'F00001 0.5\n', 'scores'],
    ['no row that has a score', `${JSON.stringify(rows[0])}\n`, `${JSON.stringify(scores[0])}\n`, 'score'],
  ])(
    'is told in one line with exit code 2, and nothing is written: %s',
    async (what, rowText, scoreText, word) => {
      const topology = copyTopology(what)
      const before = readFileSync(join(topology, 'model', 'profile.json'), 'utf8')
      const rowFile = join(topology, 'rows.jsonl')
      const scoreFile = join(topology, 'scores.jsonl')
      writeFileSync(rowFile, rowText)
      writeFileSync(scoreFile, scoreText)
      const { code, stdout, stderr } = await makeProfile(topology, rowFile, scoreFile)
      expect(stderr).toMatch(/^TM_USAGE: [^\n]*\n$/)
      expect(stderr).toContain(word)
      expect([code, stdout]).toEqual([2, ''])
      expect(readFileSync(join(topology, 'model', 'profile.json'), 'utf8')).toBe(before)
      expect(readManifest(topology)).toEqual(shipped)
    },
  )
})

/** The real process, as a person would start it. */
function makeProfile(topology: string, rowFile: string, scoreFile: string): Promise<Ended> {
  const main = join(root, 'services', 'cli', 'main.ts')
  const args = ['--no-warnings', main, 'profile', topology, '--rows', rowFile, '--scores', scoreFile]
  return within(50_000, startChild(process.execPath, args, process.env), 'profile')
}

/** The topology, its model and the manifest: what `profile` reads and writes. */
function copyTopology(name: string): string {
  const copy = join(folder, name)
  for (const part of ['topology.ts', 'model/late-arrival.onnx', 'model/profile.json', 'model/manifest.json'])
    cpSync(join(flightDelay, part), join(copy, part))
  return copy
}

function readManifest(topology: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(topology, 'model', 'manifest.json'), 'utf8'))
}

function jsonLines(name: string, some: readonly object[]): string {
  const file = join(folder, `${name}.jsonl`)
  writeFileSync(file, some.map((each) => `${JSON.stringify(each)}\n`).join(''))
  return file
}

/** Numbers with ties, and now and then none, or a status that outweighs the value. */
function someRows(count: number): Row[] {
  const random = seeded(77)
  const statuses = ['default', 'warming', 'stale', 'approximate', 'missing', 'invalid'] as const
  return Array.from({ length: count }, (_, index) => {
    const each = (choose: (place: number) => [CellValue, FeatureStatus]) =>
      inputs.map((_, place) => choose(place))
    const cells = each((place) => {
      const value = random() < 0.05 ? null : Math.floor(random() * (place + 2) ** 2) / 4
      return [value, random() < 0.7 ? 'value' : statuses[Math.floor(random() * statuses.length)]!]
    })
    return {
      id: `F${String(index).padStart(5, '0')}`,
      values: Object.fromEntries(inputs.map((name, place) => [name, cells[place]![0]])),
      statuses: Object.fromEntries(inputs.map((name, place) => [name, cells[place]![1]])),
      segments: { haul: random() < 0.5 ? '..500' : '500..1000', hub: index % 3 === 0 ? 'ATL' : 'other' },
      label: index % 7 === 0 ? null : random() < 0.3,
    }
  })
}

function scoresOf(some: readonly Row[]): { id: string; score: number }[] {
  const random = seeded(78)
  return some.map(({ id }) => ({ id, score: Math.floor(random() * 1_000) / 1_000 }))
}

/** How many rows lie in each cell, by segment and then by the name of the cell. */
function recounted(
  some: readonly Row[],
  cellOf: (row: Row) => string,
): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {}
  for (const row of some) {
    const { haul, hub } = row.segments
    const cell = cellOf(row)
    for (const segment of ['', `haul=${haul}`, `hub=${hub}`]) {
      const before = counts[segment] ?? {}
      counts[segment] = { ...before, [cell]: (before[cell] ?? 0) + 1 }
    }
  }
  return counts
}

/** The counts of a profile by the names that `cellName` gives; cells that hold nothing are left out. */
function named(
  counts: Readonly<Record<string, readonly number[]>>,
  frame: FeatureFrame,
): Record<string, Record<string, number>> {
  const names = [...edgesOf(frame).slice(0, -1).map(String), ...guardCells]
  const bySegment = Object.entries(counts).map(([segment, ofSegment]) => {
    expect(ofSegment.length).toBe(names.length)
    const filled = ofSegment
      .map((count, index) => [names[index]!, count] as const)
      .filter(([, count]) => count > 0)
    return [segment, Object.fromEntries(filled)] as const
  })
  return Object.fromEntries(bySegment)
}

/** The lower edge of the bin of a value, searched from above; or what kept it out of every bin. */
function cellName(frame: FeatureFrame, value: CellValue, status: FeatureStatus): string {
  if (status === 'missing') return 'null'
  if (status !== 'value') return status
  if (value === null) return 'null'
  const edges = edgesOf(frame)
  if (Number(value) > edges.at(-1)!) return 'above'
  return String(edges.slice(0, -1).findLast((edge) => edge <= Number(value)) ?? 'below')
}

function edgesOf(frame: FeatureFrame): readonly number[] {
  if (frame.kind !== 'numeric') throw new Error('every input of the flights is a number')
  return frame.edges
}

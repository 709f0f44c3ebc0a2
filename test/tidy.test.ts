import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorTable } from '../services/runtime/errors.ts'
import {
  allPaths,
  codeFiles,
  longFunctions,
  root,
  type TextFile,
  textFiles,
  topLevel,
  withoutComments,
} from './tidy/files.ts'
import { breaches } from './tidy/import-law.ts'

const paths = allPaths()
const code = codeFiles()
const text = textFiles()

/** Lines of files that break a rule, as `path:line: rule`. */
function found(files: readonly TextFile[], pattern: RegExp, rule: string): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${rule}`] : [])),
  )
}

const uncommented = code.map(({ path, text }) => ({ path, text: withoutComments(text) }))
const within = (folder: string) => uncommented.filter(({ path }) => path.startsWith(folder))

/** This file names what it bans. */
const elsewhere = (files: readonly TextFile[]) =>
  files.filter(({ path }) => path !== 'test/tidy.test.ts' && path !== 'test/tidy/rules.test.ts')

describe('the structure', () => {
  it('keeps the import law', () => {
    expect(code.flatMap(breaches)).toEqual([])
  })

  it('keeps the top level as it was agreed', () => {
    const agreed = new Set([
      ...[
        'package.json',
        'tsconfig.json',
        'services',
        'schemas',
        'topologies',
        'deploy',
        'test',
        'README.md',
      ],
      ...['package-lock.json', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
      ...['biome.json', 'vitest.config.ts', 'tsconfig.build.json'],
    ])
    expect(topLevel().filter((name) => !agreed.has(name) && !name.startsWith('.'))).toEqual([])
  })

  it('has no drawer without a name', () => {
    const drawers = /(^|\/)(utils?|helpers?|common|misc|shared|lib)(\.ts|\/)/
    expect(paths.filter((path) => drawers.test(path))).toEqual([])
  })

  it('has no barrel: no index.ts, no re-export of everything', () => {
    expect(paths.filter((path) => /(^|\/)index\.[cm]?ts$/.test(path))).toEqual([])
    expect(found(elsewhere(code), /^\s*export \*/, 'export * is banned')).toEqual([])
  })

  it('has default exports in topologies only', () => {
    const allowed = /^topologies\/[^/]+\/topology\.ts$|^vitest\.config\.ts$|^test\//
    const others = code.filter(({ path }) => !allowed.test(path))
    expect(found(others, /^export default /, 'a default export')).toEqual([])
  })
})

describe('the pure domain', () => {
  it.each([
    ['the clock', /\bDate\.now\b|\bnew Date\(|\bperformance\.now\b/],
    ['chance', /\bMath\.random\b|\brandomUUID\b/],
    ['Node', /['"]node:|\bprocess\.|\bBuffer\b/],
    ['the console', /\bconsole\./],
    ['timers', /\bset(Timeout|Interval|Immediate)\(/],
  ])('does without %s', (what, pattern) => {
    expect(found(within('services/domain/'), pattern, `the domain reaches for ${what}`)).toEqual([])
  })
})

it('the environment is read by the command line and deploy only; all others get it passed', () => {
  const others = uncommented.filter(({ path }) => /^(services\/(?!cli\/)|schemas\/|topologies\/)/.test(path))
  expect(found(others, /\bprocess\.env\b/, 'reads process.env')).toEqual([])
})

describe('the size', () => {
  it('of a file is at most 400 lines', () => {
    const long = code.filter(({ text }) => text.split('\n').length - 1 > 400)
    expect(long.map(({ path, text }) => `${path}: ${text.split('\n').length - 1} lines`)).toEqual([])
  })

  it('of a function is at most 70 lines', () => {
    const long = code.flatMap(({ path, text }) =>
      longFunctions(text, 70).map(({ line, lines }) => `${path}:${line}: a function of ${lines} lines`),
    )
    expect(long).toEqual([])
  })
})

describe('what is left behind', () => {
  it('is nothing unfinished', () => {
    const marks = /\b(TODO|FIXME|XXX)\b/
    expect(found(elsewhere(text), marks, 'left unfinished')).toEqual([])
  })

  it('is no test that does not run', () => {
    const tests = elsewhere(code).filter(({ path }) => path.startsWith('test/'))
    expect(found(tests, /\b(it|test|describe|suite)\.(skip|only|todo)\b/, 'does not run')).toEqual([])
  })

  it('is no path of one machine', () => {
    const machine = /(^|[\s'"`(=:])\/(work|root|tmp|home)\//
    const files = elsewhere(text).filter(({ path }) => path !== 'package-lock.json')
    expect(found(files, machine, 'a path of one machine')).toEqual([])
  })
})

describe('the runbook', () => {
  const file = join(root, 'deploy', 'RUNBOOK.md')
  const headings = existsSync(file)
    ? [...readFileSync(file, 'utf8').matchAll(/^### `?(TM_[A-Z_]+)`?/gm)].map((match) => match[1]!)
    : []

  it('has an entry for every code of the table of errors', () => {
    expect(Object.keys(errorTable).filter((code) => !headings.includes(code))).toEqual([])
  })

  it('has entries for no other code, and one for each', () => {
    expect(headings.filter((code) => !Object.hasOwn(errorTable, code))).toEqual([])
    expect(headings.filter((code, index) => headings.indexOf(code) !== index)).toEqual([])
  })
})

it('every code that is thrown is in the table of errors, and every code of the table is thrown', () => {
  const sources = uncommented.filter(({ path }) => !path.startsWith('test/') && !path.endsWith('/errors.ts'))
  const thrown = new Set(sources.flatMap(({ text }) => text.match(/\bTM_[A-Z_]+\b/g) ?? []))
  expect([...thrown].filter((code) => !Object.hasOwn(errorTable, code))).toEqual([])
  expect(Object.keys(errorTable).filter((code) => !thrown.has(code))).toEqual([])
})

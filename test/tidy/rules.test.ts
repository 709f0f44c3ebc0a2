import { describe, expect, it } from 'vitest'
import { importsOf, longFunctions, withoutComments } from './files.ts'
import { breaches } from './import-law.ts'

function importing(path: string, ...targets: string[]): string[] {
  return breaches({ path, text: targets.map((target) => `import { x } from '${target}'\n`).join('') })
}

describe('the import law', () => {
  it.each([
    ['services/domain/feature/entity.ts', '../event/contract.ts'],
    ['services/domain/feature/entity.ts', '../operator.ts'],
    ['services/features/service.ts', '../runtime/stage.ts'],
    ['services/features/service.ts', './windows.ts'],
    ['services/features/service.ts', '../composition.ts'],
    ['services/runtime/turns.ts', '../domain/operator.ts'],
    ['services/runtime/kafka/client.ts', 'kafkajs'],
    ['services/runtime/codec/avro.ts', '../../../schemas/catalogue.ts'],
    ['services/cli/dev.ts', '../../deploy/local/up.ts'],
    ['topologies/load.ts', 'node:fs'],
    ['topologies/plan.ts', '../services/domain/definition-error.ts'],
    ['topologies/flight-delay/topology.ts', 'tidemark'],
    ['test/anything.ts', '../services/cli/dev.ts'],
  ])('lets %s import %s', (path, target) => {
    expect(importing(path, target)).toEqual([])
  })

  it.each([
    ['services/domain/feature/entity.ts', 'node:fs'],
    ['services/domain/feature/entity.ts', '../../runtime/errors.ts'],
    ['services/domain/operator.ts', 'simple-statistics'],
    ['services/features/service.ts', '../outcomes/service.ts'],
    ['services/features/service.ts', '../cli/start.ts'],
    ['services/runtime/turns.ts', '../domain/window/log.ts'],
    ['services/runtime/turns.ts', '../../topologies/plan.ts'],
    ['services/runtime/turns.ts', '../../deploy/local/up.ts'],
    ['services/runtime/commit.ts', 'kafkajs'],
    ['services/runtime/commit.ts', 'kafkajs/src/network/index.js'],
    ['services/cli/dev.ts', '../../test/driver/driver.ts'],
    ['services/cli/dev.ts', 'left-pad'],
    ['topologies/plan.ts', 'node:fs'],
    ['topologies/plan.ts', '../services/runtime/errors.ts'],
    ['topologies/flight-delay/topology.ts', '../../services/runtime/errors.ts'],
    ['schemas/catalogue.ts', '../services/domain/operator.ts'],
    ['deploy/local/up.ts', '../../services/cli/connect.ts'],
  ])('forbids %s to import %s', (path, target) => {
    expect(importing(path, target)).toHaveLength(1)
  })

  it('sees every form of import', () => {
    const text = [
      "import 'a'",
      "import type { B } from 'b'",
      'import {',
      '  c,',
      "} from 'c'",
      "export { d } from 'd'",
      "const e = await import('e')",
      "const f = createRequire(import.meta.url)('f')",
    ].join('\n')
    expect(importsOf({ path: 'x.ts', text }).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })
})

describe('the length of functions', () => {
  const body = (lines: number) => Array.from({ length: lines }, () => '  work()')

  it.each([
    ['a function', 'export function f(): void {'],
    ['a function over several lines', 'export async function f(\n  a: string,\n): Promise<void> {'],
    ['an arrow', 'const f = (): number => {'],
    ['a method', 'f(a, b) {'],
    ['a test', "it('does', () => {"],
  ])('is counted for %s', (_, head) => {
    const begin = head.split('\n').at(-1)!
    expect(longFunctions([...head.split('\n'), ...body(68), '}'].join('\n'), 70)).toEqual([])
    expect(longFunctions([...head.split('\n'), ...body(69), '}'].join('\n'), 70)).toEqual([
      { line: head.split('\n').indexOf(begin) + 1, lines: 71 },
    ])
  })

  it('is not counted for headings and branches', () => {
    for (const head of ["describe('a', () => {", 'if (a) {', '} else if (b) {', 'for (const a of b) {']) {
      expect(longFunctions([head, ...body(100), '}'].join('\n'), 70)).toEqual([])
    }
  })
})

it('comments are left out, and what looks like one in a text is not', () => {
  const text = "const a = 'https://x' // console.log\n/* new Date(\n*/ b()\n"
  expect(withoutComments(text)).toBe("const a = 'https://x' \n\n b()\n")
})

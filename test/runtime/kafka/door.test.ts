import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const door = join('services', 'runtime', 'kafka')

it('is the only way to kafkajs', () => {
  const strangers = ['services', 'topologies', 'schemas', 'deploy']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(door))
    .filter((file) => /['"]kafkajs(\/|['"])/.test(readFileSync(join(root, file), 'utf8')))
  expect(strangers).toEqual([])
})

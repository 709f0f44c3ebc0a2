import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { build } from '../../deploy/build.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { root } from '../tidy/files.ts'

const run = promisify(execFile)

/** Inside the repository, so that the packages are found; where git does not look. */
mkdirSync(join(root, '.cache'), { recursive: true })
const dist = mkdtempSync(join(root, '.cache', 'build-'))
const main = join(dist, 'services', 'cli', 'main.js')

/** How code names a file that is compiled as it is. */
const ownExtension = /\$\{extname\([^}]*\}/

beforeAll(() => {
  expect(build(dist)).toBe(0)
}, 60_000)
afterAll(() => rmSync(dist, { recursive: true, force: true }))

describe('the built package', { timeout: 60_000 }, () => {
  it('has the program that package.json names, for anybody to run', () => {
    expect(packageJson.bin.tidemark).toBe('dist/services/cli/main.js')
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(main).mode & 0o111).toBe(0o111)
  })

  it('is plain JavaScript that Node runs without stripping types', async () => {
    const plain = ['--no-experimental-strip-types', main]
    const { stdout } = await run(process.execPath, [...plain, '--help'])
    expect(stdout).toMatch(/^Usage: tidemark/)
    const topology = join(dist, 'topologies', 'flight-delay')
    const plan = await run(process.execPath, [...plain, 'plan', topology, '--offline'])
    expect(plan.stdout).toMatch(/^flight-delay version 1/)
  })

  it('compiles a topology to the same hash as the source does', async () => {
    const source = join(root, 'topologies', 'flight-delay')
    const hashes = await Promise.all(
      [main, join(root, 'services', 'cli', 'main.ts')].map(async (program) => {
        const { stdout } = await run(process.execPath, [
          '--no-warnings',
          program,
          'plan',
          source,
          '--offline',
        ])
        return stdout.split('\n', 1)[0]
      }),
    )
    expect(hashes[0]).toBe(hashes[1])
  })

  it('has the driver that a topology is tested with', async () => {
    const { default: built } = packageJson.exports['./testing']
    const driver = pathToFileURL(join(dist, built.replace('./dist/', ''))).href
    const topology = join(dist, 'topologies', 'flight-delay')
    const departure = "{ flight: 'F00001', departed: 0, origin: 'ATL', destination: 'ORD', distance: 606 }"
    const script = `
      const { openDriver } = await import(${JSON.stringify(driver)})
      const driver = await openDriver(${JSON.stringify(topology)})
      await driver.send('flights.departures', ${departure})
      console.log(driver.read('predictions').map(({ value }) => value.id).join())`
    const plain = ['--no-experimental-strip-types', '--input-type=module', '--eval', script]
    const { stdout } = await run(process.execPath, plain)
    expect(stdout).toBe('F00001\n')
  })

  it('holds everything that its code finds by its own place', () => {
    const places = globSync('**/*.js', { cwd: dist }).flatMap((file) =>
      [...readFileSync(join(dist, file), 'utf8').matchAll(/new URL\(\s*['"`](\.[^'"`]+)['"`]/g)].map(
        (match) => join(dirname(file), match[1]!.replace(ownExtension, '.js')),
      ),
    )
    expect(places).toContain(join('services', 'cli', 'main.js'))
    expect(places.filter((place) => !existsSync(join(dist, place)))).toEqual([])
  })

  it('holds the schemas, the models and their data, and what the local broker is resolved from', () => {
    const wanted = [
      'schemas/*.avsc',
      'topologies/*/model/*.{onnx,json}',
      'topologies/*/data/*.csv',
      '**/pom.xml',
    ]
    for (const pattern of wanted) {
      const there = globSync(pattern, { cwd: root, exclude: ['node_modules', '.cache', 'dist'] })
      expect(there.length).toBeGreaterThan(0)
      expect(there.filter((file) => !existsSync(join(dist, file)))).toEqual([])
    }
  })
})

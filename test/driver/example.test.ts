import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root } from '../tidy/files.ts'

const run = promisify(execFile)

it('the test beside the flight topology, which users are shown, passes as they would run it', async () => {
  const file = join(root, 'topologies', 'flight-delay', 'topology.test.ts')
  // Here `tidemark` is this repository; for a user it is the package, and needs no condition.
  const args = ['--conditions=development', '--no-warnings', '--test-reporter=tap', '--test', file]
  const env = { ...process.env, NODE_OPTIONS: '' }
  // A test runner inside of another one reports to it, unless it is told that it is on its own.
  Reflect.deleteProperty(env, 'NODE_TEST_CONTEXT')
  const { stdout } = await run(process.execPath, args, { env, cwd: root })
  expect(stdout).toMatch(/^# pass 3$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
}, 60_000)

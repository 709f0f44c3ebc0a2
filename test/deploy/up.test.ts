import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { jarsFolder } from '../../deploy/local/jars.ts'
import { bringUpOnJava } from '../../deploy/local/java-stack.ts'
import { bringUp } from '../../deploy/local/up.ts'

it('brokers that are given are handed on, and are nobody’s to kill or to stop', async () => {
  const env = { KAFKA_BROKERS: 'a:1', SCHEMA_REGISTRY_URL: 'http://b' }
  await using stack = await bringUp({ env, nodes: 3 })
  expect(stack).toMatchObject({ rung: 'given', brokers: 'a:1', registry: 'http://b', nodes: [] })
  await expect(stack.kill(1)).rejects.toThrow('not ours')
  await expect(stack.restart(1)).rejects.toThrow('not ours')
  await stack.stop()
})

it('a ladder without a rung is an error with a code', async () => {
  await expect(bringUp({ env: { KAFKA_BROKERS: 'a:1' } })).rejects.toMatchObject({
    code: 'TM_NO_BROKER',
    message: expect.stringContaining('SCHEMA_REGISTRY_URL is not: set both, or neither'),
  })
})

it('a JVM that dies is an error with its last log lines, and nothing is left behind', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-dying-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'bin'))
  writeFileSync(join(root, 'bin', 'java'), '#!/bin/sh\necho "boom went $$" >&2\nexit 1\n')
  chmodSync(join(root, 'bin', 'java'), 0o755)
  const env = { TIDEMARK_CACHE: join(root, 'cache'), JAVA_HOME: root, PATH: process.env.PATH }
  for (const name of ['kafka', 'registry', 'format'])
    mkdirSync(join(jarsFolder(env), name), { recursive: true })
  for (const file of [join('registry', 'a-runner.jar'), join('format', 'bootstrap.checkpoint')]) {
    writeFileSync(join(jarsFolder(env), file), '')
  }
  const said: string[] = []
  const failure = bringUpOnJava({ nodes: 1, env, onProgress: (line) => said.push(line) })
  await expect(failure).rejects.toMatchObject({
    code: 'TM_BROKER_AWAY',
    message: expect.stringMatching(/ended before it was ready; its last log lines:\n {2}boom went \d+/),
  })
  // The run that would have made the class archives failed first: that alone is no reason to give up.
  expect(said.some((line) => line.includes('the class archives were not made'))).toBe(true)
  expect(readdirSync(root).sort()).toEqual(['bin', 'cache'])
})

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { dockerAnswers, javaVersion, parseJavaVersion, probe } from '../../deploy/local/probe.ts'

it.each([
  ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
  ['openjdk version "21" 2023-09-19', 21],
  ['java version "1.8.0_292"', 8],
  ['openjdk version "25-ea" 2025-09-16', 25],
  ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.1"', 17],
  ['no such thing', null],
])('reads %j as Java %s', (said, version) => {
  expect(parseJavaVersion(said)).toBe(version)
})

it('asks the Java of JAVA_HOME, and takes one that does not run for none', async () => {
  const home = mkdtempSync(join(tmpdir(), 'tidemark-java-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  expect(await javaVersion({ JAVA_HOME: home })).toBe(null)
  mkdirSync(join(home, 'bin'))
  writeFileSync(join(home, 'bin', 'java'), '#!/bin/sh\necho \'openjdk version "42.1"\' >&2\n')
  chmodSync(join(home, 'bin', 'java'), 0o755)
  expect(await javaVersion({ JAVA_HOME: home })).toBe(42)
})

it('asks nothing when the environment decides', async () => {
  const env = { KAFKA_BROKERS: 'a:1', JAVA_HOME: '/nowhere', DOCKER_HOST: 'tcp://127.0.0.1:1' }
  expect(await probe(env, true)).toEqual({
    env,
    dockerAnswers: false,
    javaVersion: null,
    mavenAnswers: false,
    jarsCached: true,
  })
})

it('takes a Docker address where nothing listens for no engine', async () => {
  // The client reads the address from the real environment, where a test must not rely on there being no engine.
  if (process.env.DOCKER_HOST) return
  process.env.DOCKER_HOST = 'tcp://127.0.0.1:1'
  onTestFinished(() => {
    delete process.env.DOCKER_HOST
  })
  const started = performance.now()
  const answers = await dockerAnswers({ DOCKER_HOST: 'tcp://127.0.0.1:1' })
  expect(performance.now() - started).toBeLessThan(10_000)
  // A machine with an engine on its usual socket answers all the same: the client falls back to it.
  expect(typeof answers).toBe('boolean')
})

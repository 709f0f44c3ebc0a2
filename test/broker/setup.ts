import type { TestProject } from 'vitest/node'
import type { Stack } from '../../deploy/local/stack.ts'
import { bringUp } from '../../deploy/local/up.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** KAFKA_BROKERS of the stack that all broker tests share. */
    brokers: string
    /** SCHEMA_REGISTRY_URL of that stack. */
    registry: string
  }
}

let stack: Stack | undefined

/** One real broker for the whole run. Without one the run fails: a broker test that is skipped proves nothing. */
export async function setup(project: TestProject): Promise<void> {
  stack = await bringUp({ onProgress: (line) => process.stderr.write(`broker: ${line}\n`) })
  project.provide('brokers', stack.brokers)
  project.provide('registry', stack.registry)
}

export async function teardown(): Promise<void> {
  await stack?.stop()
}

/**
 * The process behind `tidemark broker up`: it owns the stack and lives until it is told to end. Killing it, even with
 * SIGKILL, ends the stack.
 */
import { isTidemarkError } from '../../services/runtime/errors.ts'
import type { OwnerNews } from './background.ts'
import { forgetBackground, writeBackground } from './background.ts'
import type { Stack } from './stack.ts'
import { bringUp } from './up.ts'

await main(process.argv[2] === '3' ? 3 : 1)

async function main(nodes: 1 | 3): Promise<void> {
  let stack: Stack | undefined
  const end = async () => {
    await stack?.stop()
    forgetBackground(process.env)
    process.exit(0)
  }
  // Ctrl-C reaches the whole terminal, this process not: it has a session of its own.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end())
  process.on('disconnect', () => {
    // Whoever waited went away before there was anything to hand over.
    if (!stack) process.exit(1)
  })
  try {
    stack = await bringUp({ nodes, onProgress: (line) => tell({ kind: 'progress', line }) })
    writeBackground(process.env, stack)
    tell({ kind: 'ready' })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    tell({ kind: 'failed', code: isTidemarkError(error) ? error.code : 'TM_BROKER_AWAY', message })
    process.exitCode = 1
    process.disconnect?.()
  }
}

function tell(news: OwnerNews): void {
  if (process.connected) process.send?.(news, undefined, undefined, () => {})
}

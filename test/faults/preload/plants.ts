import { registerHooks } from 'node:module'
import type { Plant } from './protocol.ts'

/**
 * Replaces source text of services while they load. A text that is not there exactly once, or a file that was never
 * loaded, ends the process: a bug that was not planted must not count as one that was not caught.
 */
export function plantAll(plants: readonly Plant[]): void {
  const open = new Set(plants)
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      for (const plant of plants) {
        if (!url.endsWith(plant.file)) continue
        open.delete(plant)
        loaded.source = planted(String(loaded.source), plant)
      }
      return loaded
    },
  })
  process.once('exit', () => {
    for (const { file } of open)
      process.stderr.write(`FAULTS: ${file} was never loaded, nothing was planted\n`)
  })
}

function planted(source: string, { file, find, replace }: Plant): string {
  const parts = source.split(find)
  if (parts.length === 2) return parts.join(replace)
  process.stderr.write(`FAULTS: ${file} holds the text to replace ${parts.length - 1} times, not once\n`)
  process.exit(70)
}

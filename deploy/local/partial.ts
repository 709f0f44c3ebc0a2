import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/**
 * Where a folder is filled before it takes its name, so that a half-filled one is never taken for whole. What others
 * left half-filled is removed: the caller holds the lock, so whoever began it is gone.
 */
export function partialOf(folder: string): string {
  const parent = dirname(folder)
  for (const name of readdirSync(parent)) {
    if (name.startsWith(`${basename(folder)}.partial-`)) rmSync(join(parent, name), { recursive: true })
  }
  return `${folder}.partial-${process.pid}`
}

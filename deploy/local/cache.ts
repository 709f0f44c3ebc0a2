import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** The folder for what can be made again: `.cache` of the repository, or TIDEMARK_CACHE. */
export function cacheFolder(env: { readonly TIDEMARK_CACHE?: string | undefined }): string {
  return resolve(env.TIDEMARK_CACHE?.trim() || join(here, '..', '..', '.cache'))
}

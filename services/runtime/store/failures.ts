import { type TidemarkError, tidemarkError } from '../errors.ts'

/** What the machine refuses; anything else that goes wrong with a file is the file's own fault. */
const refusals = new Set([
  ...['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EFBIG'],
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'],
])

/** An error of LevelDB or of the file system as an error of the table. */
export function storeFailure(folder: string, error: unknown): TidemarkError {
  const code = isCorrupt(error) ? 'TM_STORE_DAMAGED' : 'TM_STORE'
  return tidemarkError(code, `${folder}: ${reasonOf(error)}`, error)
}

/** Whether an error of the file system says that the machine refuses, rather than that the file is not as it should be. */
export function isRefusal(error: unknown): boolean {
  return refusals.has(codeOf(error))
}

export function codeOf(error: unknown): string {
  return codesOf(error)[0] ?? 'unknown'
}

/** Whether LevelDB says that what it reads is wrong. */
export function isCorrupt(error: unknown): boolean {
  if (codesOf(error).includes('LEVEL_CORRUPTION')) return true
  // A table that is gone: LevelDB reports it as any other input or output error.
  return /^IO error: .*\.ldb: No such file/.test(reasonOf(error))
}

/** Node and LevelDB say in the innermost cause what really happened. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : reasonOf(error.cause)
}

function codesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : []
  return [...own, ...codesOf(error.cause)]
}

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

export interface TextFile {
  /** Relative to the repository, with slashes. */
  readonly path: string
  readonly text: string
}

/** What `.gitignore` names is nobody's work. */
const ignored = new Set(
  readFileSync(join(root, '.gitignore'), 'utf8')
    .split('\n')
    .map((line) => line.trim().replace(/\/$/, ''))
    .filter((line) => line !== ''),
)

/** Every file of the repository, by its path. */
export function allPaths(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== '.git' && !ignored.has(name) && !name.endsWith('.log'))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? allPaths(path) : [relative(root, path).replaceAll('\\', '/')]
    })
}

export function topLevel(): string[] {
  return [...new Set(allPaths().map((path) => path.split('/', 1)[0]!))]
}

const binary = /\.(onnx|bin|png|jar)$/

/** Every file that a person may read. */
export function textFiles(): TextFile[] {
  return allPaths()
    .filter((path) => !binary.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** TypeScript that somebody wrote by hand. */
export function codeFiles(): TextFile[] {
  return textFiles().filter(({ path }) => path.endsWith('.ts') && !isGenerated(path))
}

function isGenerated(path: string): boolean {
  return path === 'schemas/types.ts' || path.startsWith('schemas/generated/')
}

/** What a file imports: paths of the repository for relative specifiers, the specifier itself for all else. */
export function importsOf({ path, text }: TextFile): string[] {
  const specifiers = [...text.matchAll(/^(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]/gm)]
    .concat([...text.matchAll(/^import\s+['"]([^'"]+)['"]/gm)])
    .concat([...text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g)])
    .concat([...text.matchAll(/\bcreateRequire\([^)]*\)\(\s*['"]([^'"]+)['"]/g)])
    .map((match) => match[1]!)
  return specifiers.map((specifier) =>
    specifier.startsWith('.') ? join(dirname(path), specifier).replaceAll('\\', '/') : specifier,
  )
}

/** Code without its comments, line by line where it was. */
export function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
}

export interface LongFunction {
  readonly line: number
  readonly lines: number
}

/**
 * Functions of more than `limit` lines. The formatter puts the brace that closes a function at the indentation of the
 * line that begins it, and that is all this looks at. A `describe` is a heading, not a function.
 */
export function longFunctions(text: string, limit: number): LongFunction[] {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    if (!beginsFunction(line)) return []
    const indent = indentOf(line)
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${indent}}`))
    const length = end - index + 1
    return end !== -1 && length > limit ? [{ line: index + 1, lines: length }] : []
  })
}

function beginsFunction(line: string): boolean {
  if (!/(=>|\)|\)(: [^=]+)) \{$/.test(line)) return false
  return !/^\s*(\} else )?(if|for|while|switch|catch|describe|\} catch)\b/.test(line)
}

function indentOf(line: string): string {
  return /^ */.exec(line)![0]
}

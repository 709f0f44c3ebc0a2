/**
 * `npm run build`: the package as plain JavaScript in `dist`, because Node strips no types inside `node_modules`. What
 * stands beside the code and is read by it (schemas, models, data, the pom.xml) is copied to the same place.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, rmSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

/** What running code reads; the rest is compiled, or is for those who work on the repository. */
const read = new Set(['.avsc', '.csv', '.json', '.jsonl', '.onnx', '.xml'])

/** Builds into a folder, which is emptied first. Returns the exit code of the compiler. */
export function build(target: string): number {
  rmSync(target, { recursive: true, force: true })
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const done = spawnSync(tsc, ['-p', join(root, 'tsconfig.build.json'), '--outDir', target], {
    cwd: root,
    stdio: 'inherit',
  })
  if (done.status !== 0) return done.status ?? 1
  for (const folder of ['schemas', 'topologies', 'deploy']) {
    copy(join(root, folder), join(target, folder))
  }
  chmodSync(join(target, 'services', 'cli', 'main.js'), 0o755)
  return 0
}

function copy(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, copied] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory() && !entry.name.startsWith('.')) copy(source, copied)
    else if (entry.isFile() && read.has(extname(entry.name))) cpSync(source, copied)
  }
}

if (import.meta.main) process.exitCode = build(process.argv[2] ?? join(root, 'dist'))

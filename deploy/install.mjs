// Installs what the lockfile asks for when that is not what is there. It runs before `npm start` and `npm test`, on
// whatever Node the machine has and before any package is there: hence plain JavaScript without imports from packages.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * Why an install is needed, or null. npm writes what it has installed to node_modules/.package-lock.json as its last
 * step, so an interrupted install has none. The two files are compared by what they say: times mean little on a fresh
 * clone or in a restored cache.
 */
export function whyInstall(folder) {
  const wanted = packagesOf(join(folder, 'package-lock.json'))
  if (wanted === null) return 'package-lock.json cannot be read'
  const installed = packagesOf(join(folder, 'node_modules', '.package-lock.json'))
  if (installed === null) return 'node_modules is missing or was not finished'
  for (const [path, entry] of Object.entries(wanted)) {
    // The first entry is this package itself.
    if (path === '') continue
    const there = installed[path]
    // npm leaves out the optional packages of other platforms.
    if (there === undefined && entry.optional) continue
    if (there === undefined) return `${path} is missing`
    if (there.version !== entry.version || there.integrity !== entry.integrity) {
      return `${path} is ${there.version}, the lockfile says ${entry.version}`
    }
  }
  const extra = Object.keys(installed).find((path) => !(path in wanted))
  return extra === undefined ? null : `${extra} is not in the lockfile`
}

/** Runs `npm ci`; its exit code. Standard output belongs to the command that comes after. */
function install(folder) {
  const npm = process.env.npm_execpath
  const isNpm = npm !== undefined && basename(npm).startsWith('npm')
  // The Node that runs npm, and not the one in node_modules, which is about to be deleted.
  const node = process.env.npm_node_execpath ?? process.execPath
  const [command, args] = isNpm ? [node, [npm, 'ci']] : ['npm', ['ci']]
  const env = {
    ...process.env,
    // Older npm does not know `allowScripts`, and this package's install script fetches CUDA.
    ONNXRUNTIME_NODE_INSTALL: 'skip',
  }
  const done = spawnSync(command, args, { cwd: folder, env, stdio: ['ignore', 2, 2] })
  if (done.error) process.stderr.write(`install: npm did not start: ${done.error.message}\n`)
  return done.status ?? 1
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null
  } catch {
    return null
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '..')
  const why = whyInstall(folder)
  if (why !== null) {
    process.stderr.write(`install: ${why}: running npm ci\n`)
    process.exitCode = install(folder)
  }
}

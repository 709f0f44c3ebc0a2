/** A process to kill: it holds two sleeping programs and a folder, says who they are, and waits. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { supervise } from '../../deploy/local/supervision.ts'

const supervision = supervise()
const folder = mkdtempSync(join(tmpdir(), 'tidemark-held-'))
supervision.ownFolder(folder)
const program = { command: 'sleep', args: ['600'], cwd: folder, env: { PATH: process.env.PATH ?? '' } }
// A shell with a child of its own stands for Maven, which is a script around a JVM.
const script = { ...program, command: 'sh', args: ['-c', 'sleep 600; true'] }
const running = await Promise.all([
  supervision.start('one', { ...program, logFile: join(folder, 'one.log') }),
  supervision.start('two', { ...script, logFile: join(folder, 'two.log') }),
])
console.log(JSON.stringify({ folder, pids: running.map(({ pid }) => pid) }))

/**
 * The bench service in a process of its own (`node service-process.ts <options as JSON>`), which tells its parent over
 * IPC when what happened. It loads its code as the command line does.
 */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { cacheFolder } from '../../deploy/local/cache.ts'

enableCompileCache(join(cacheFolder(process.env), 'code'))
const { runBench } = await import('./service-run.ts')
await runBench(JSON.parse(process.argv[2]!))

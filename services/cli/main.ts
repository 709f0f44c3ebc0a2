#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { cacheFolder } from '../../deploy/local/cache.ts'

// Modules that are loaded from here on are compiled once per version, not at each start: a killed service is back sooner.
enableCompileCache(join(cacheFolder(process.env), 'code'))
await import('./program.ts')

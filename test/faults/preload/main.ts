/** Loaded into a service before anything of its own: crash points, pause points and planted bugs. */
import { patchKafka } from './kafka.ts'
import { plantAll } from './plants.ts'
import { listen } from './points.ts'
import type { Plant } from './protocol.ts'
import { variables } from './protocol.ts'
import { patchStore } from './store.ts'

const plants = process.env[variables.plants]
if (plants !== undefined) plantAll(JSON.parse(plants) as Plant[])
listen()
patchKafka()
patchStore()

import type { Bug } from './bug.ts'
import { bugsAtTheDoor } from './bugs-at-the-door.ts'
import { bugsOfTasks } from './bugs-of-tasks.ts'

export const bugs: readonly Bug[] = [...bugsOfTasks, ...bugsAtTheDoor]

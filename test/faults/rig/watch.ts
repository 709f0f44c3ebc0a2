import type { Commits } from '../preload/protocol.ts'
import type { LogLine, ServiceProcess } from './service-process.ts'
import type { World } from './world.ts'

export interface Watch extends Pick<World, 'seen' | 'committedElsewhere'> {
  line(process: ServiceProcess, line: LogLine): void
  commits(process: ServiceProcess, commits: readonly Commits[]): void
}

/** Lets faults wait for what services say and do. */
export function createWatch(): Watch {
  const lines = new Set<(process: ServiceProcess, line: LogLine) => void>()
  const commits = new Set<(process: ServiceProcess, commits: readonly Commits[]) => void>()

  function waitFor<T>(
    limitMs: number,
    listen: (resolve: (answer: T) => void) => () => void,
    none: T,
  ): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>()
    const stop = listen(resolve)
    const timer = setTimeout(() => resolve(none), limitMs)
    return promise.finally(() => {
      clearTimeout(timer)
      stop()
    })
  }

  return {
    line: (process, line) => {
      for (const hear of lines) hear(process, line)
    },
    commits: (process, news) => {
      for (const hear of commits) hear(process, news)
    },
    seen: (fits, limitMs) =>
      waitFor<LogLine | undefined>(
        limitMs,
        (resolve) => {
          const hear = (process: ServiceProcess, line: LogLine) => {
            if (fits(process, line)) resolve(line)
          }
          lines.add(hear)
          return () => lines.delete(hear)
        },
        undefined,
      ),
    committedElsewhere: (id, not, limitMs) =>
      waitFor<boolean>(
        limitMs,
        (resolve) => {
          const hear = (process: ServiceProcess, news: readonly Commits[]) => {
            if (process !== not && news.some((each) => each.id === id)) resolve(true)
          }
          commits.add(hear)
          return () => commits.delete(hear)
        },
        false,
      ),
  }
}

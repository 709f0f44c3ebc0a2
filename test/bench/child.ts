import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface BenchChild<News> {
  readonly process: ChildProcess
  /** When it was started, in wall-clock ms. */
  readonly spawnedMs: number
  /** Resolves with the first news that fits; rejects when the process fails or ends before. */
  next<N extends News>(fits: (news: News) => news is N): Promise<N>
  /** Lines that it wrote to standard error. */
  readonly lines: readonly string[]
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>
  kill(): Promise<void>
}

/** Starts a file of this folder as a process of its own, with its options as JSON. */
export function startChild<News extends { readonly kind: string }>(
  file: string,
  options: object,
  execArgv: readonly string[] = [],
): BenchChild<News> {
  const spawnedMs = performance.timeOrigin + performance.now()
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(options)], {
    execArgv: ['--no-warnings', ...execArgv],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  const gone = once(child, 'exit')
  const heard: News[] = []
  const listeners = new Set<(news: News) => void>()
  const lines: string[] = []
  child.stderr?.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n')))
  child.on('message', (news: News) => {
    heard.push(news)
    for (const listener of listeners) listener(news)
  })

  function next<N extends News>(fits: (news: News) => news is N): Promise<N> {
    const { promise, resolve, reject } = Promise.withResolvers<N>()
    const listener = (news: News) => {
      if (fits(news)) resolve(news)
      else if (news.kind === 'failed') reject(new Error(`${file} failed: ${JSON.stringify(news)}`))
    }
    for (const news of heard) listener(news)
    listeners.add(listener)
    gone.then(() => reject(new Error(`${file} ended too early:\n${lines.slice(-20).join('\n')}`)))
    return promise.finally(() => listeners.delete(listener))
  }

  return {
    process: child,
    spawnedMs,
    next,
    lines,
    ended: gone,
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}

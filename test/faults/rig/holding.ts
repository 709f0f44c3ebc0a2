import type { Feed } from './feed.ts'
import type { Fleet } from './fleet.ts'

/** How much may wait, in seconds of the feed's rate, before the feed holds back; it goes on at a third of that. */
const patienceSeconds = 20

/** Slows the feed down when the machine cannot keep up with it: a backlog without end would test nothing more. */
export function holdBack(
  fleet: Fleet,
  feed: Feed,
  perSecond: number,
  log: (line: string) => void,
): () => void {
  let isHeld = false
  let isAsking = false
  const timer = setInterval(() => {
    if (isAsking) return
    isAsking = true
    void lagOf(fleet).then((lag) => {
      isAsking = false
      const isBehind = lag > perSecond * (isHeld ? patienceSeconds / 3 : patienceSeconds)
      if (isBehind !== isHeld) log(isBehind ? `the feed waits: ${lag} records behind` : 'the feed goes on')
      isHeld = isBehind
      feed.hold(isHeld)
    })
  }, 1_000)
  return () => clearInterval(timer)
}

async function lagOf(fleet: Fleet): Promise<number> {
  const lags = await Promise.all(fleet.all().map(({ port }) => (port === undefined ? 0 : askLag(port))))
  return lags.reduce((sum, lag) => sum + lag, 0)
}

/** A service that is stopped, killed or starting says nothing. */
async function askLag(port: number): Promise<number> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/status`, { signal: AbortSignal.timeout(500) })
    const tasks = (await answer.json()) as { lag: number }[]
    return tasks.reduce((sum, { lag }) => sum + lag, 0)
  } catch {
    return 0
  }
}

/** A condition that tasks wait for: everyone who waits goes on at the next `raise`. */
export interface Signal {
  raise(): void
  /** Resolves with true at the next `raise`, with false after `timeoutMs`. */
  wait(timeoutMs: number): Promise<boolean>
}

export function createSignal(): Signal {
  let waiting: (() => void)[] = []
  return {
    raise() {
      const woken = waiting
      waiting = []
      // Not at once: waiters that raise each other's signals would keep out timers and sockets.
      for (const resume of woken) setImmediate(resume)
    },
    wait(timeoutMs) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          resolve(true)
        }
        const timer = setTimeout(() => {
          waiting = waiting.filter((each) => each !== done)
          resolve(false)
        }, timeoutMs)
        waiting.push(done)
      })
    },
  }
}

/** A condition that tasks wait for: everyone who waits goes on at the next `raise`. */
export interface Signal {
  raise(): void
  /** Resolves at the next `raise`, or after `timeoutMs`. */
  wait(timeoutMs: number): Promise<void>
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
          resolve()
        }
        const timer = setTimeout(() => {
          waiting = waiting.filter((each) => each !== done)
          resolve()
        }, timeoutMs)
        waiting.push(done)
      })
    },
  }
}

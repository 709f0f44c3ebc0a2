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
      for (const resume of woken) resume()
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

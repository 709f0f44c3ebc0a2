/** When the next commit is due: at once after a quiet time, and more seldom the longer commits take. */
export interface Pace {
  /** Wall time in ms from which a commit with records may begin. */
  readonly dueMs: number
  /** Wall time in ms from which a commit may begin that writes positions and marks only. */
  readonly lazyDueMs: number
  committed(startedMs: number, endedMs: number): void
}

/** How much longer a commit may wait that nobody waits for. */
const lazyMs = 300
const longestMs = 250
/**
 * The pause after a commit, as a multiple of how long commits take: a busy broker answers later, and so many
 * times as long leave it and the other tasks room.
 */
const restFactor = 8

export function createPace(shortestMs: number): Pace {
  let smoothedMs = shortestMs / restFactor
  let dueMs = 0
  return {
    get dueMs() {
      return dueMs
    },
    get lazyDueMs() {
      return dueMs + lazyMs
    },
    committed(startedMs, endedMs) {
      smoothedMs = 0.8 * smoothedMs + 0.2 * (endedMs - startedMs)
      dueMs = endedMs + Math.min(longestMs, Math.max(shortestMs, restFactor * smoothedMs))
    },
  }
}

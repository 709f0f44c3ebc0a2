import { writeSync } from 'node:fs'
import { isTidemarkError } from '../../../services/runtime/errors.ts'
import { levelStore } from '../../../services/runtime/store/level.ts'
import { createHistory, differenceFrom, filledOf } from './history.ts'

/**
 * A process that opens a store, holds it to a history, and applies the batches that follow, until it is killed or a write
 * fails. Each line of its output is the number of the last batch in the store; one that is JSON says what failed.
 * Arguments: folder, identity, seed, extra bytes per value, overlay bytes, last batch.
 */
const [folder = '', identity = '', seed, extraBytes, overlayBytes, last] = process.argv.slice(2)

try {
  const store = await levelStore(folder, identity, { overlayBytes: Number(overlayBytes) })
  const history = createHistory(Number(seed), Number(extraBytes))
  const wrong = store.damage ?? (await differenceFrom(store, history))
  if (wrong !== undefined) throw new Error(wrong)
  say(String(filledOf(store)))
  for (let number = filledOf(store) + 1; number <= Number(last); number += 1) {
    try {
      await store.apply(history.batch(number))
    } catch (error) {
      // What was not written must not be read either.
      const code = codeOf(error)
      const later = [
        async () => store.get('~filled'),
        () => store.keys(''),
        () => store.apply([['x', undefined]]),
      ]
      const codes = await Promise.all(later.map((call) => call().then(() => 'none', codeOf)))
      await store.close()
      say(JSON.stringify({ code, message: String(error), later: codes }))
      process.exit(3)
    }
    say(String(number))
  }
  await store.close()
} catch (error) {
  say(JSON.stringify({ code: codeOf(error), message: String(error), later: [] }))
  process.exit(4)
}

function codeOf(error: unknown): string {
  return isTidemarkError(error) ? error.code : String(error)
}

/** Without a buffer, so that a kill loses nothing that was said. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

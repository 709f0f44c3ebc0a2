import { ClassicLevel } from 'classic-level'

/** The second digit of the first number behind the time of an entry of a window: a first one may not be zero. */
const number = /(\[\d{13},\d)(\d)/g

/**
 * Changes a bit of numbers in stores that nobody has open, below the checksums of the store and above those of the
 * files. Gives how many were changed.
 */
export async function changeStores(folders: readonly string[]): Promise<number> {
  let changed = 0
  for (const folder of folders) {
    const level = new ClassicLevel<string, Buffer>(folder, { valueEncoding: 'buffer', compression: false })
    await level.open()
    for (const [key, value] of await level.iterator().all()) {
      const text = value.toString('latin1')
      const other = text.replace(
        number,
        (_, before: string, digit: string) => `${before}${Number(digit) ^ 1}`,
      )
      if (other === text) continue
      await level.put(key, Buffer.from(other, 'latin1'))
      changed += 1
    }
    await level.close()
  }
  return changed
}

/** A growing list of doubles without an object per entry: a run has millions of records. */
export interface Column {
  push(number: number): void
  /** What was pushed, without the room to grow. */
  taken(): Float64Array
}

export function createColumn(): Column {
  let room = new Float64Array(1_024)
  let size = 0
  return {
    push(number) {
      if (size === room.length) {
        const larger = new Float64Array(room.length * 2)
        larger.set(room)
        room = larger
      }
      room[size] = number
      size += 1
    },
    taken: () => room.slice(0, size),
  }
}

/**
 * Edges of at most about `cells` bins that hold nearly equal shares of the reference. Equal values are never
 * split, and a value that alone holds more than 1 / cells of the rows (an atom: a zero, an hour) gets a bin of
 * its own, which ends at the next value seen. The last edge is the highest value.
 * @param sorted finite numbers in ascending order
 */
export const quantileEdges = (sorted: ArrayLike<number>, cells: number): number[] => {
  if (sorted.length === 0) return []
  const target = sorted.length / cells
  const edges: number[] = []
  let filled = Number.POSITIVE_INFINITY
  let start = 0
  while (start < sorted.length) {
    const end = endOfRun(sorted, start)
    // A bin that is full ends here, and so does any bin before an atom, which by itself fills its own.
    if (end - start > target || filled >= target * (1 - 1e-9)) {
      edges.push(sorted[start]!)
      filled = 0
    }
    filled += end - start
    start = end
  }
  edges.push(sorted[sorted.length - 1]!)
  return edges
}

const endOfRun = (sorted: ArrayLike<number>, start: number): number => {
  let end = start + 1
  while (end < sorted.length && sorted[end] === sorted[start]) end++
  return end
}

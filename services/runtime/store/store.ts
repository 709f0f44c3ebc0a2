/** The local key-value store of one task. Keys are strings, values bytes; nothing is written but by `apply`. */
export interface Store {
  get(key: string): Buffer | undefined
  /** All keys with a prefix, in byte order. */
  keys(prefix: string): Promise<string[]>
  /** One atomic batch: all changes, or none. */
  apply(changes: Iterable<readonly [key: string, value: Buffer | undefined]>): Promise<void>
  /** Removes everything, for a store that does not belong to its changelog. */
  clear(): Promise<void>
  close(): Promise<void>
}

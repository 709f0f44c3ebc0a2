/** One change of a key: its new value, or undefined when the key is removed. */
export type Change = readonly [key: string, value: Buffer | undefined]

export interface KeyRange {
  readonly from?: string
  readonly limit?: number
}

/**
 * The local key-value store of one task. Keys are strings, values bytes; nothing is written but by `apply`.
 * `get`, `keys` and `apply` throw `TM_STORE_DAMAGED` when what is on disk turns out to be wrong (clear the store and
 * fill it again from its changelog), and `TM_STORE` when the disk is full or refuses (nothing is torn, but this store
 * takes nothing more until it is opened again).
 */
export interface Store {
  /** What opening found wrong, in which case the store was emptied; undefined when it was sound or new. */
  readonly damage: string | undefined
  /** Bytes of memory that hold changes on their way to the disk. */
  readonly pendingBytes: number
  get(key: string): Buffer | undefined
  /** Keys with a prefix in byte order: all, or the first `limit` that are not before `from`. */
  keys(prefix: string, range?: KeyRange): Promise<string[]>
  /** One atomic batch: all changes, or none. `get` and `keys` see them from the call on. */
  apply(changes: Iterable<Change>): Promise<void>
  /** Verifies everything on disk while the store is in use: what is wrong, or undefined. */
  check(): Promise<string | undefined>
  /** Removes everything, for a store that does not belong to its changelog or is damaged. */
  clear(): Promise<void>
  close(): Promise<void>
}

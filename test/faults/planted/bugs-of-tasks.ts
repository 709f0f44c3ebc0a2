import { type Bug, pointAt } from './bug.ts'

const task = '/services/runtime/task.ts'
const commit = '/services/runtime/commit.ts'
const restore = '/services/runtime/restore.ts'
const changelog = '/services/runtime/changelog.ts'

/** Bugs of fences, commits, positions and restores. */
export const bugsOfTasks: readonly Bug[] = [
  {
    name: 'skip-the-fence',
    what: 'every life of a task has a transactional id of its own, so nobody refuses its predecessor',
    invariant: 'duplicated',
    scenario: 'silence-and-zombies',
    plants: [
      {
        file: task,
        find: 'transactionalId: spec.transactionalId, guarantee',
        replace:
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text of the service.
          'transactionalId: `${spec.transactionalId}~${process.pid}x${Math.floor(performance.now())}`, guarantee',
      },
    ],
  },
  {
    name: 'end-before-the-fence',
    what: "the changelog's end is asked for before the predecessor is fenced, which then commits once more",
    invariant: 'duplicated',
    scenario: 'late-commit',
    plants: [
      {
        file: task,
        find: 'const writer = await openWriter(stage, spec, world)',
        replace: `const place = { topic: stage.changelog.topic, partition: spec.index }
    const early = await world.reader.endOffsets([place], 'committed')
    const writer = await openWriter(stage, spec, world)`,
      },
      {
        file: task,
        find: 'await restoreTurns(stage, spec, store, changelog, world',
        replace: `await restoreTurns(stage, spec, store, changelog,
        { ...world, reader: { ...world.reader, endOffsets: async () => early } }`,
      },
      {
        // An answer may bring what was written after its question; whoever believes in an end leaves that out.
        file: restore,
        find: 'const answer = await next',
        replace: `const answer = await next
    answer.records = answer.records.filter(({ offset }) => offset < end)`,
      },
    ],
  },
  {
    name: 'store-before-the-commit',
    what: 'the store is written before its transaction has been committed',
    invariant: 'wrongValues',
    scenario: 'kills-in-commits',
    plants: [
      {
        file: commit,
        find: 'const produced = await writer.commit(batches, {',
        replace: `await store.apply([...changes])
  const produced = await writer.commit(batches, {`,
      },
    ],
  },
  {
    name: 'store-position-plus-one',
    what: "the tail is replayed from one record too far on, and the store's own checkpoint is not looked at",
    invariant: 'wrongValues',
    scenario: 'kills-in-commits',
    plants: [
      {
        file: restore,
        find: 'await replay(options, filled - 1, end, { known, at: filled - 1 })',
        // At `filled` is the marker of the commit, behind it the first record that the store lacks.
        replace: 'await replay(options, filled + 2, end, undefined)',
      },
    ],
  },
  {
    name: 'lose-the-tail',
    what: "what was committed after the store's checkpoint is not replayed",
    invariant: 'duplicated',
    scenario: 'kills-in-commits',
    plants: [
      {
        file: restore,
        find: 'await replay(options, filled - 1, end, { known, at: filled - 1 })',
        replace: 'await Promise.resolve(0)',
      },
    ],
  },
  {
    name: 'position-plus-one',
    what: 'a task that begins again leaves out the record at its position',
    invariant: 'lost',
    scenario: 'kills-in-commits',
    plants: [
      {
        file: task,
        find: 'position: progress.position,\n    isNew',
        replace: 'position: progress.position === 0 ? 0 : progress.position + 1,\n    isNew',
      },
    ],
  },
  {
    name: 'position-minus-one',
    what: 'a task that begins again reads the record before its position once more',
    invariant: 'wrongValues',
    scenario: 'kills-in-commits',
    plants: [
      {
        file: task,
        find: 'position: progress.position,\n    isNew',
        replace: 'position: Math.max(0, progress.position - 1),\n    isNew',
      },
    ],
  },
  {
    name: 'forget-the-timers',
    what: 'a task that begins again does not know which timers it had set',
    invariant: 'lost',
    scenario: 'kills-in-commits',
    plants: [{ file: task, find: 'wakeKeys: await storedWakes(store)', replace: 'wakeKeys: []' }],
  },
  {
    name: 'ignore-positions',
    what: 'what an upstream without transactions has repeated is applied again',
    invariant: 'wrongValues',
    scenario: 'kills-without-transactions',
    plants: [
      {
        file: '/services/runtime/upstreams.ts',
        find: 'const last = progress.upstreams.get(origin.writer)\n  if (last === undefined) return false',
        replace: 'const last = undefined\n  if (last === undefined) return false',
      },
    ],
  },
  {
    name: 'seal-before-the-outputs',
    what: 'without transactions the checkpoint is written before what it vouches for',
    invariant: 'torn',
    scenario: 'kills-without-transactions',
    plants: [
      {
        file: '/services/runtime/kafka/writer.ts',
        find: 'const written = await write(batches)\n    if (seal === undefined) return written',
        replace: `if (seal === undefined) return write(batches)
    const sealed = await write([seal])
    ${pointAt('between-writes', 'options.transactionalId')}`,
      },
      {
        file: '/services/runtime/kafka/writer.ts',
        find: 'return [...written, ...(await write([seal]))]',
        replace: 'return [...sealed, ...(await write(batches))]',
      },
    ],
  },
  {
    name: 'idle-for-ever',
    what: 'a writer that was idle once is never waited for again',
    invariant: 'wrongValues',
    scenario: 'silence-and-zombies',
    plants: [
      { file: '/services/runtime/upstreams.ts', find: 'last.idle = idle', replace: 'last.idle ||= idle' },
    ],
  },
  {
    name: 'one-key-for-a-window',
    what: 'all chunks of a window share one key of the changelog, of which compaction leaves the last',
    invariant: 'wrongValues',
    scenario: 'stores',
    plants: [
      {
        file: changelog,
        find: "const schema = 'ChangelogEntry'",
        replace: `const schema = 'ChangelogEntry'
const together = (key, value) => {
  const window = /^(log\\|.*)\\|\\d+$/.exec(key)?.[1]
  if (window === undefined) return [key, value]
  return [window + '|*', Buffer.from(JSON.stringify({ key, value: value?.toString() ?? null }))]
}
const apart = (name, bytes) => {
  if (!name.endsWith('|*')) return [name, bytes]
  const { key, value } = JSON.parse(bytes.toString())
  return [key, value === null ? undefined : Buffer.from(value)]
}`,
      },
      {
        file: changelog,
        find: 'record: ([key, value]) => ({',
        replace: 'record: (change, [key, value] = together(...change)) => ({',
      },
      {
        file: changelog,
        find: '{ change: [name, bytes] }',
        replace: '{ change: apart(name, bytes) }',
      },
      {
        // A window that has lost a chunk ends there, or the bug would be a crash.
        file: '/services/domain/window/log.ts',
        find: 'return draft.get(chunkKey(log, id)) as Chunk',
        replace: 'return draft.get(chunkKey(log, id)) ?? { before: null, after: null, entries: [] }',
      },
      {
        file: '/services/domain/window/log.ts',
        find: 'chunk.entries.at(-1)![0] + log.retentionMs',
        replace: '(chunk.entries.at(-1)?.[0] ?? -Infinity) + log.retentionMs',
      },
    ],
  },
  {
    name: 'believe-a-damaged-store',
    what: 'the checksums of a store are not looked at',
    invariant: 'wrongValues',
    scenario: 'stores',
    plants: [
      {
        file: '/services/runtime/store/seal.ts',
        find: 'return crc32(value, seedOf(salt, key)) === bytes.readUInt32LE(0) ? value : undefined',
        replace: 'return value',
      },
      {
        file: '/services/runtime/store/seal.ts',
        find: 'crc32(bytes.subarray(4), salt) !== bytes.readUInt32LE(0)',
        replace: 'false',
      },
    ],
  },
]

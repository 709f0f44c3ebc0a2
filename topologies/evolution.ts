import { canonicalJson, hashFeature } from './canonical.ts'
import type { Model, Topology } from './compiled.ts'

/**
 * What of a change cannot be carried over to topics that hold records, one phrase each; nothing when the change can
 * be applied in place. Models, segments, owners, alignment and most of the monitors may change under a running
 * topology; whatever decides what state means may not.
 */
export function refusedChanges(before: Topology, after: Topology): readonly string[] {
  return [
    ...differing('version', before.version, after.version),
    ...differing('the scored stream', before.scored, after.scored),
    ...differing('late', before.late, after.late),
    ...differing('label', before.label, after.label),
    ...differing('entities', before.entities, after.entities),
    ...differing('monitors.pane', before.monitors.paneMs, after.monitors.paneMs),
    ...differing('monitors.window', before.monitors.windowMs, after.monitors.windowMs),
    ...differingEntries('stream', before.streams, after.streams, canonicalJson),
    ...differingEntries('feature', before.features, after.features, hashFeature),
    ...changedModels(before.models, after.models),
  ]
}

function differing(what: string, before: unknown, after: unknown): string[] {
  return canonicalJson(before) === canonicalJson(after) ? [] : [what]
}

function differingEntries<Item>(
  what: string,
  before: Readonly<Record<string, Item>>,
  after: Readonly<Record<string, Item>>,
  meaning: (item: Item) => string,
): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  const meaningIn = (items: Readonly<Record<string, Item>>, name: string) =>
    Object.hasOwn(items, name) ? meaning(items[name]!) : undefined
  return names
    .filter((name) => meaningIn(before, name) !== meaningIn(after, name))
    .map((name) => `${what} ${name}`)
}

/** Predictions and reports name a model by name and version, so what these two mean may not change. */
function changedModels(before: readonly Model[], after: readonly Model[]): string[] {
  const content = ({ sha256, profileSha256, inputs }: Model) =>
    canonicalJson({ sha256, profileSha256, inputs })
  return after
    .filter((model) =>
      before.some(
        (other) =>
          other.name === model.name && other.version === model.version && content(other) !== content(model),
      ),
    )
    .map(({ name, version }) => `model ${name} without a new version after ${version}`)
}

import { DefinitionError } from '../definition-error.ts'
import type { AggregateName } from '../feature/definition.ts'
import type { AnyAggregate } from './aggregate.ts'
import { count } from './count.ts'
import { last } from './last.ts'
import { max } from './max.ts'
import { mean } from './mean.ts'
import { min } from './min.ts'
import { share } from './share.ts'
import { sum } from './sum.ts'

const table = { count, last, max, mean, min, share, sum } satisfies Record<AggregateName, unknown>

export const aggregateNames = Object.keys(table) as readonly AggregateName[]

/** @throws DefinitionError for a name that is not in the table. */
export function aggregateOf(name: AggregateName): AnyAggregate {
  if (!Object.hasOwn(table, name)) throw new DefinitionError(`no aggregate is called "${name}"`)
  // The state's type is known to the aggregate alone: whoever folds only hands it on.
  return table[name] as unknown as AnyAggregate
}

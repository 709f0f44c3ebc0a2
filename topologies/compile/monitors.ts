import type { Feature } from '../../services/domain/feature/definition.ts'
import type { Cause, Monitors, Playbook } from '../compiled.ts'
import { durationMs } from '../duration.ts'
import type { MonitorsDefinition } from '../topology.ts'
import { demandFeature } from './models.ts'
import { demand, demandShare, demandWhole, sortedSet } from './rules.ts'

const playbooks: readonly Playbook[] = [
  'retrain',
  'roll-back',
  'human-review',
  'tighten-thresholds',
  'fix-pipeline',
  'none',
]
/** Drift alone harms nobody, so nobody is asked to do anything about it. */
const usual: Readonly<Record<Exclude<Cause, 'harm'>, Playbook>> = {
  drift: 'none',
  concept: 'retrain',
  coverage: 'fix-pipeline',
  skew: 'fix-pipeline',
}

export function compileMonitors(
  monitors: MonitorsDefinition,
  features: Readonly<Record<string, Feature>>,
): Monitors {
  const { pane = '1d', window = '7d', metric, tolerance, critical, coverage, drift = {} } = monitors
  const paneMs = durationMs(pane, 'monitors, pane')
  const windowMs = durationMs(window, 'monitors, window')
  demand(windowMs % paneMs === 0, 'monitors, window', `${window} is no whole number of panes of ${pane}`)
  demand(metric === 'auc', 'monitors, metric', `no metric is called "${metric}"`)
  for (const name of critical) demandFeature(name, features, 'monitors, critical')
  const { effect = 0.02, alpha = 0.01, minRows = 500 } = drift
  demandShare(tolerance.relativeDrop, 'monitors, tolerance')
  demandShare(coverage.atLeast, 'monitors, coverage')
  demandShare(effect, 'monitors, drift effect')
  demandShare(alpha, 'monitors, drift alpha')
  demandWhole(minRows, 'monitors, drift minRows')
  const chosen = { ...usual, ...monitors.playbooks }
  for (const [cause, playbook] of Object.entries(chosen)) {
    demand(
      cause === 'harm' || Object.hasOwn(usual, cause),
      'monitors, playbooks',
      `no cause is called "${cause}"`,
    )
    demand(playbooks.includes(playbook), 'monitors, playbooks', `no playbook is called "${playbook}"`)
  }
  return {
    paneMs,
    windowMs,
    metric,
    tolerance: {
      relativeDrop: tolerance.relativeDrop,
      forMs: durationMs(tolerance.for, 'monitors, tolerance'),
    },
    critical: sortedSet(critical),
    coverage: { atLeast: coverage.atLeast },
    drift: { effect, alpha, minRows },
    playbooks: chosen,
  }
}

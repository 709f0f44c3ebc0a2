import { describe, expect, test } from 'vitest'
import { aucOfRows } from '../../../services/domain/report/auc.ts'
import type { PerformanceReport } from '../../../services/domain/report/performance.ts'
import { type Pane, verdict } from '../../../services/domain/report/verdict.ts'
import { seeded, shuffled } from './random.ts'
import { monitor, panesOf, profile, report, taskFor, timesOf, weekOf, weekPanes } from './weeks.ts'
import { type Change, hourMs, monday, outcomeOf, predictionOf, weekMs } from './world.ts'

describe('a window of undrifted rows', () => {
  const rows = weekOf(7)
  const task = report([weekPanes(rows)])

  test('is reported once, a millisecond after its end, for every feature and segment', () => {
    expect(task.drift()).toHaveLength(4 * 3)
    expect(
      new Set(task.drift().map(({ window, revision }) => `${window.start} ${window.end} ${revision}`)),
    ).toEqual(new Set([`${monday} ${monday + weekMs} 0`]))
    expect(task.emitted[0]!.watermark).toBe(monday + weekMs + 1)
    const ids = task.emitted.map(({ key }) => key)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('flags nothing, pages nobody, and covers everything', () => {
    expect(task.drift().filter((drift) => drift.significant || drift.material)).toEqual([])
    expect(task.alerts()).toEqual([])
    const skill = task.coverage().find(({ feature, segment }) => feature === 'skill' && segment === '')!
    expect(skill.shares[0]).toMatchObject({ of: 'present', k: 1500, n: 1500, hi: 1 })
    expect(skill).toMatchObject({ atLeast: 0.95, breached: false, status: 'ok' })
  })

  test('has the AUC of its rows, within the binning error', () => {
    const auc = task.performance().find(({ metric, segment }) => metric === 'auc' && segment === '')!
    const exact = aucOfRows(
      rows.map((row) => row.score),
      rows.map((row) => row.label === true),
    )!
    expect(Math.abs(auc.value! - exact.value)).toBeLessThanOrEqual(auc.errorBound!)
    expect(auc.se).toBeCloseTo(Math.sqrt(exact.variance!), 4)
    expect(auc).toMatchObject({ basis: 'realised', n: 1500, labelCompleteness: 1, status: 'ok' })
    expect(auc.baseline).toBe(profile.auc!.value)
  })

  test('has nearly the Brier score of its rows', () => {
    const brier = task.performance().find(({ metric, segment }) => metric === 'brier' && segment === '')!
    const exact = rows.reduce((sum, { score, label }) => sum + (score - Number(label)) ** 2, 0) / rows.length
    expect(brier.value).toBeCloseTo(exact, 3)
  })
})

describe('what moved is told apart', () => {
  const findings = (change: Change) => {
    const task = report([weekPanes(weekOf(9, change))])
    return {
      drifted: task
        .drift()
        .filter((d) => d.significant && d.material && d.segment === '')
        .map((d) => d.feature),
      alerts: task
        .alerts()
        .map(({ alertKey, state, severity, playbook }) => [alertKey, state, severity, playbook]),
    }
  }

  test('a shift of the input is drift of input and score, and never pages', () => {
    const { drifted, alerts } = findings('shift')
    expect(drifted).toEqual(['skill', '__score__'])
    expect(alerts).toEqual([['late@1/drift/inputs', 'firing', 'info', 'none']])
  })

  test('a change of the relationship is no drift, and pages', () => {
    const { drifted, alerts } = findings('concept')
    expect(drifted).toEqual([])
    expect(alerts).toEqual([['late@1/performance/auc', 'firing', 'page', 'retrain']])
  })

  test('a critical feature that no longer arrives pages whoever keeps the pipeline', () => {
    const { alerts } = findings('nulls')
    expect(alerts[0]).toEqual(['late@1/coverage/skill', 'firing', 'page', 'fix_pipeline'])
  })
})

describe('an alert', () => {
  const bad = weekPanes(weekOf(9, 'concept'), 1)

  test('fires once, names its evidence and impact, and ends when a window is good', () => {
    const task = report([
      weekPanes(weekOf(3), 0),
      bad,
      weekPanes(weekOf(4, 'concept'), 2),
      weekPanes(weekOf(5), 3),
    ])
    const alerts = task.alerts()
    expect(alerts.map(({ previousState, state, window }) => [previousState, state, window.start])).toEqual([
      ['ok', 'firing', monday + weekMs],
      ['firing', 'ok', monday + 3 * weekMs],
    ])
    const ids = task.performance().map(({ reportId }) => reportId)
    expect(ids).toContain(alerts[0]!.evidence[0])
    expect(alerts[0]!.impact!.hi).toBeLessThan(0)
    expect(alerts[0]!.openedAt).toBe(monday + 2 * weekMs)
  })

  test('waits for as long as the topology says', () => {
    const patient = { ...monitor, lossForMs: weekMs + 1 }
    const task = report([bad, weekPanes(weekOf(4, 'concept'), 2)], patient)
    expect(task.alerts().map(({ state, severity }) => [state, severity])).toEqual([
      ['pending', 'info'],
      ['firing', 'page'],
    ])
  })

  test('a window with too few labels changes nothing', () => {
    const task = report([bad, weekPanes(weekOf(5, 'none', 40), 2)])
    expect(task.alerts()).toHaveLength(1)
  })

  test('is silent while its root cause fires, and speaks when that has ended', () => {
    const missing = weekOf(9, 'nulls').map((row, i) => ({ ...row, label: weekOf(9, 'concept')[i]!.label }))
    const task = report([weekPanes(missing, 0), weekPanes(weekOf(4, 'concept'), 1)])
    const auc = task.alerts().filter(({ alertKey }) => alertKey === 'late@1/performance/auc')
    expect(auc.map(({ severity, playbook, suppressedBy }) => [severity, playbook, suppressedBy])).toEqual([
      ['info', 'none', 'late@1/coverage/skill'],
      ['page', 'retrain', null],
    ])
  })
})

describe('few rows', () => {
  test('are insufficient data: no number, neither good nor bad', () => {
    const task = report([weekPanes(weekOf(8, 'shift', 99))])
    for (const drift of task.drift()) {
      expect(drift).toMatchObject({
        status: 'insufficient_data',
        value: null,
        pValue: null,
        significant: false,
      })
    }
    for (const figure of task.performance()) {
      expect(figure).toMatchObject({ status: 'insufficient_data', value: null, lo: null })
    }
    expect(task.alerts()).toEqual([])
  })

  test('labels that are not complete make a provisional figure that decides nothing', () => {
    const rows = weekOf(9, 'concept').map((row, i) => ({ ...row, label: i % 2 === 0 ? row.label : null }))
    const task = report([weekPanes(rows)])
    const auc = task.performance().find(({ metric, segment }) => metric === 'auc' && segment === '')!
    expect(auc).toMatchObject({
      status: 'provisional',
      basis: 'provisional',
      labelCompleteness: 0.5,
      expired: 750,
    })
    expect(task.alerts()).toEqual([])
  })
})

describe('a week in which the stream began or ended', () => {
  const [first, last] = [weekPanes(weekOf(9, 'shift'), 0), weekPanes(weekOf(10, 'shift'), 1)]
  const statuses = (panes: readonly Pane[]) => {
    const task = report([panes])
    const drift = task.drift().filter(({ segment }) => segment === '')
    return [
      task.alerts().length,
      ...new Set(drift.map(({ window, status }) => `${window.start === monday} ${status}`)),
    ]
  }

  test('is not compared with whole weeks', () => {
    const half = monday + weekMs / 2
    expect(statuses([...first.filter(({ start }) => start >= half), ...last])).toEqual([
      1,
      'true invalid',
      'false ok',
    ])
    expect(statuses([...first, ...last.filter(({ start }) => start < half + weekMs)])).toEqual([
      1,
      'true ok',
      'false invalid',
    ])
    expect(statuses(first.filter(({ start }) => start < half))).toEqual([0, 'true invalid'])
  })
})

describe('the order in which panes come', () => {
  const panes = weekPanes(weekOf(9, 'shift'))

  test('does not show in the reports: seeds 1 to 5', () => {
    const expected = JSON.stringify(report([panes]).emitted)
    for (let seed = 1; seed <= 5; seed++) {
      const task = taskFor()
      for (const pane of shuffled(panes, seeded(seed))) task.take(pane, 'panes', monday)
      task.end()
      expect(JSON.stringify(task.emitted)).toBe(expected)
    }
  })

  test('does not show when rows were split over four tasks', () => {
    const rows = weekOf(9, 'shift')
    const parts = [0, 1, 2, 3].flatMap((part) => {
      const time = timesOf(rows, 0)
      const mine = rows.map((row, i) => ({ row, time: time(i) })).filter((_, i) => i % 4 === part)
      return [
        ...panesOf(
          mine.map(({ row, time }) => predictionOf(profile, row, time)),
          'predictions',
        ),
        ...panesOf(
          mine.map(({ row, time }) => outcomeOf(profile, row, time)),
          'outcomes',
        ),
      ]
    })
    expect(JSON.stringify(report([parts]).emitted)).toBe(JSON.stringify(report([panes]).emitted))
  })

  test('a pane for a reported window leads to one revision, equal to what would have been said at once', () => {
    const [early, late] = [panes.slice(0, -40), panes.slice(-40)]
    const task = taskFor()
    for (const pane of early) task.take(pane, 'panes', monday)
    for (const pane of late) task.take(pane, 'panes', monday + weekMs + 5 * hourMs)
    task.advance(monday + weekMs + 24 * hourMs + 1)
    const revised = task.performance().filter(({ revision }) => revision === 1)
    const atOnce = report([panes]).performance()
    const figures = (reports: PerformanceReport[]) =>
      reports.map(({ segment, metric, value, n }) => [segment, metric, value, n])
    expect(figures(revised)).toEqual(figures(atOnce))
    expect(task.performance().every(({ revision }) => revision < 2)).toBe(true)
  })

  test('outcomes that trickle in revise the performance once a day, and only that', () => {
    const task = taskFor()
    const isLate = (pane: Pane) => pane.kind === 'outcome' && pane.start >= monday + weekMs / 2
    for (const pane of panes.filter((pane) => !isLate(pane))) task.take(pane, 'panes', monday)
    task.advance(monday + weekMs + 1)
    const [first] = task.performance()
    expect(first).toMatchObject({
      final: false,
      basis: 'provisional',
      labelCompleteness: 0.5,
      status: 'provisional',
    })
    const ofLabels = () => task.coverage().filter(({ feature, segment }) => feature === '' && segment === '')
    expect(ofLabels()).toMatchObject([{ final: false, status: 'provisional' }])
    const [sent, alerts] = [task.drift().length, task.alerts().length]
    const late = panes.filter(isLate)
    for (const [i, pane] of late.entries()) task.take(pane, 'panes', monday + weekMs + 1 + i * 60_000)
    task.advance(monday + weekMs + 24 * hourMs)
    expect(task.performance().every(({ revision }) => revision === 0)).toBe(true)
    task.advance(monday + weekMs + 24 * hourMs + 1)
    const revised = task.performance().filter(({ revision }) => revision === 1)
    expect(revised[0]).toMatchObject({ final: true, basis: 'realised', labelCompleteness: 1, status: 'ok' })
    expect(ofLabels()[1]).toMatchObject({ final: true, status: 'ok', shares: [{ of: 'label', k: 1500 }] })
    const landings = task.coverage().filter(({ segment }) => segment === 'source=landings')
    expect(landings.map(({ final, n }) => [final, n])).toEqual([
      [false, 750],
      [true, 1500],
    ])
    expect([task.drift().length, task.alerts().length]).toEqual([sent, alerts])
  })

  test('a revision that would be due after the window is forgotten is made just before', () => {
    const task = taskFor({ ...monitor, retainMs: 2 * hourMs })
    for (const pane of panes.slice(0, -5)) task.take(pane, 'panes', monday)
    for (const pane of panes.slice(-5)) task.take(pane, 'panes', monday + weekMs + hourMs)
    task.advance(monday + weekMs + 3 * hourMs)
    expect(task.performance().some(({ revision }) => revision === 1)).toBe(true)
    expect([...task.state.keys()].filter((key) => key.startsWith('window/'))).toEqual([])
  })

  test('a pane for a window no longer kept is late, and nothing of the window remains', () => {
    const task = taskFor()
    for (const pane of panes) task.take(pane, 'panes', monday)
    task.advance(monday + 3 * weekMs)
    expect([...task.state.keys()].filter((key) => key.startsWith('window/'))).toEqual([])
    task.take(panes[0]!, 'panes')
    expect(task.verdicts.at(-1)).toBe('late')
  })
})

test('windows of weeks begin on Mondays, and panes must fit into them', () => {
  expect(new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' }).format(monday)).toBe('Monday')
  expect(() => verdict({ ...monitor, windowMs: 90 * 60_000 })).toThrow('monitors.windowMs')
})

import { describe, expect, test } from 'vitest'
import { aucOfRows, binnedAuc } from '../../../services/domain/report/auc.ts'
import {
  hellinger,
  jsdBits,
  jsdNullMean,
  jsdParts,
  largestGap,
  psi,
  psiNullMean,
  total,
} from '../../../services/domain/report/cell-distance.ts'
import { chiSquare, pooledChiSquare } from '../../../services/domain/report/chi-square.ts'
import { adjusted, falseDiscoveryRules } from '../../../services/domain/report/false-discovery.ts'
import { chiSquareTail, logGamma } from '../../../services/domain/report/gamma.ts'
import { normalQuantile } from '../../../services/domain/report/normal.ts'
import { wilson } from '../../../services/domain/report/wilson.ts'
import { type Case, gapOf, goldenCases } from './goldens.ts'
import { gaussian, seeded } from './random.ts'

const special = 'special-functions.json'
const statistics = 'statistics.json'

describe('special functions against mpmath', () => {
  test('log-gamma agrees to 1e-13 from 1/2 on', () => {
    for (const { x, value } of goldenCases<{ x: number; value: number }>(special, 'log_gamma')) {
      if (x < 0.5) continue
      expect(gapOf(logGamma(x), value, 1), `x = ${x}`).toBeLessThan(1e-13)
    }
  })

  test('the chi-square tail agrees to 1e-10 of its own size, down to 1e-290', () => {
    for (const { x, freedom, p } of goldenCases<{ x: number; freedom: number; p: number }>(
      special,
      'chi_square_tail',
    )) {
      expect(gapOf(chiSquareTail(x, freedom), p, 0), `${x} on ${freedom}`).toBeLessThan(1e-10)
    }
  })

  test('the normal quantile agrees to 1e-12', () => {
    for (const { p, z } of goldenCases<{ p: number; z: number }>(special, 'normal_quantile')) {
      expect(gapOf(normalQuantile(p), z), `p = ${p}`).toBeLessThan(1e-12)
    }
    expect(normalQuantile(0)).toBe(-Infinity)
    expect(normalQuantile(1)).toBe(Infinity)
  })
})

interface CountsOut {
  psi: string
  psi_null_mean: string
  psi_p: string | null
  jsd_bits_j: string
  hellinger: string
  linf: string
  chi2: number | null
  chi2_dof: number | null
  chi2_p: number | null
}

describe('distances of cell counts against SciPy and mpmath', () => {
  for (const { in: given, out } of goldenCases<Case<{ ref: number[]; cur: number[] }, CountsOut>>(
    statistics,
    'counts',
  )) {
    test(`${given.ref.length} cells, ${total(given.ref)} and ${total(given.cur)} rows`, () => {
      const { ref, cur } = given
      const close = (name: string, value: number, exact: number | string, floor?: number) =>
        expect(gapOf(value, Number(exact), floor), name).toBeLessThan(1e-9)
      const noise = psiNullMean(ref.length, total(ref), total(cur))
      close('psi', psi(ref, cur), out.psi)
      close('null mean', noise, out.psi_null_mean)
      close('jsd', jsdBits(ref, cur), out.jsd_bits_j)
      close(
        'parts of jsd',
        jsdParts(ref, cur).reduce((a, b) => a + b, 0),
        out.jsd_bits_j,
      )
      close('hellinger', hellinger(ref, cur), out.hellinger)
      close('l-infinity', largestGap(ref, cur).gap, out.linf)
      if (out.psi_p !== null) {
        const scale = 1 / total(ref) + 1 / total(cur)
        close('psi p', chiSquareTail(psi(ref, cur) / scale, ref.length - 1), out.psi_p, 1e-200)
      }
      const test = chiSquare(ref, cur)
      expect(test === null).toBe(out.chi2 === null)
      if (test === null || out.chi2 === null || out.chi2_p === null) return
      close('chi-square', test.statistic, out.chi2)
      expect(test.freedom).toBe(out.chi2_dof)
      close('p', test.p, out.chi2_p, 1e-200)
    })
  }

  test('a divergence of 1e-13 bits keeps its digits', () => {
    const [out] = goldenCases<Case<{ ref: number[]; cur: number[] }, CountsOut>>(statistics, 'counts').filter(
      ({ in: { ref } }) => ref[0] === 1e9 && ref[1] === 1e9,
    )
    expect(gapOf(jsdBits(out!.in.ref, out!.in.cur), Number(out!.out.jsd_bits_j), 0)).toBeLessThan(1e-9)
  })

  test('the pooled chi-square equals SciPy on the same pools', () => {
    type Pooled = {
      ref: number[]
      cur: number[]
      out: { statistic: number; freedom: number; p: number } | null
    }
    for (const { ref, cur, out } of goldenCases<Pooled>(special, 'pooled_chi_square')) {
      const test = pooledChiSquare(ref, cur)
      expect(test?.freedom ?? null).toBe(out?.freedom ?? null)
      if (test === null || out === null) continue
      expect(gapOf(test.statistic, out.statistic)).toBeLessThan(1e-9)
      expect(gapOf(test.p, out.p, 1e-200)).toBeLessThan(1e-9)
    }
  })

  test('an empty side is nothing to test', () => {
    expect(chiSquare([0, 0], [3, 4])).toBeNull()
    expect(pooledChiSquare([], [])).toBeNull()
    expect(pooledChiSquare([5, 5], [0, 0])).toBeNull()
  })
})

describe('intervals and false discoveries', () => {
  test('Wilson intervals equal SciPy', () => {
    type Interval = Case<{ k: number; n: number; alpha: number }, { wilson: [number, number] }>
    for (const {
      in: { k, n, alpha },
      out,
    } of goldenCases<Interval>(statistics, 'intervals')) {
      const { lo, hi } = wilson(k, n, 1 - alpha)
      expect(gapOf(lo!, out.wilson[0], 1e-9), `${k} of ${n}`).toBeLessThan(1e-9)
      expect(gapOf(hi!, out.wilson[1], 1e-9), `${k} of ${n}`).toBeLessThan(1e-9)
    }
    expect(wilson(0, 0)).toEqual({ k: 0, n: 0, share: null, lo: null, hi: null })
  })

  test('BH and e-BH reject what SciPy and the definition reject', () => {
    type Discovery = Case<{ p: number[] }, { bh: number[]; bh_reject: number[]; ebh_reject: number[] }>
    const indices = (rejected: boolean[]) => rejected.flatMap((yes, i) => (yes ? [i] : []))
    for (const {
      in: { p },
      out,
    } of goldenCases<Discovery>(statistics, 'fdr')) {
      adjusted(p).forEach((value, i) => {
        expect(gapOf(value, out.bh[i]!)).toBeLessThan(1e-12)
      })
      expect(indices(falseDiscoveryRules.bh(p, 0.05))).toEqual(out.bh_reject)
      expect(indices(falseDiscoveryRules['e-bh'](p, 0.05))).toEqual(out.ebh_reject)
    }
  })
})

type Weyl = { weyl: [number, number, number, number] }
const expand = (s: number[] | Weyl): number[] => {
  if (Array.isArray(s)) return s
  const [n, a, m, shift] = s.weyl
  return Array.from({ length: n }, (_, i) => ((i * a) % m) / m + shift)
}

describe('AUC against scikit-learn and exact placement values', () => {
  type Scores = Case<
    { y: number[] | null; s: number[] | Weyl },
    { auc: number | null; delong_var: string | null }
  >
  for (const { in: given, out } of goldenCases<Scores>(statistics, 'scores')) {
    const scores = expand(given.s)
    test(`${scores.length} rows`, () => {
      const labels = given.y ?? scores.map((s, i) => Number((i * 7919) % 1000 < 1000 * s))
      const auc = aucOfRows(
        scores,
        labels.map((label) => label === 1),
      )
      expect(auc === null).toBe(out.auc === null)
      if (auc === null) return
      expect(gapOf(auc.value, out.auc!)).toBeLessThan(1e-12)
      expect(auc.variance === null).toBe(out.delong_var === null)
      if (auc.variance !== null) expect(gapOf(auc.variance, Number(out.delong_var))).toBeLessThan(1e-9)
    })
  }

  test('binning into 200 cells moves the AUC by no more than its stated bound', () => {
    const random = seeded(4)
    for (let round = 0; round < 20; round++) {
      const rows = Array.from({ length: 1500 }, () => random())
      const labels = rows.map((s) => random() < s ** (1 + round / 5))
      const positives = new Array(200).fill(0)
      const negatives = new Array(200).fill(0)
      rows.forEach((s, i) => {
        ;(labels[i] ? positives : negatives)[Math.floor(s * 200)]++
      })
      const exact = aucOfRows(rows, labels)!.value
      const binned = binnedAuc(positives, negatives)!
      expect(Math.abs(binned.value - exact)).toBeLessThanOrEqual(binned.binningError)
      expect(binned.binningError).toBeLessThan(0.01)
    }
  })
})

test('the null means are what chance gives: seed 11', () => {
  const random = seeded(11)
  const draw = (n: number) => {
    const counts = new Array<number>(12).fill(0)
    for (let i = 0; i < n; i++) counts[Math.min(11, Math.floor(Math.abs(gaussian(random)) * 5))]! += 1
    return counts
  }
  const rounds = 400
  let jsd = 0
  let nats = 0
  for (let i = 0; i < rounds; i++) {
    const [reference, current] = [draw(2000), draw(600)]
    jsd += jsdBits(reference, current) / rounds
    nats += psi(reference, current) / rounds
  }
  expect(jsd / jsdNullMean(12, 2000, 600)).toBeGreaterThan(0.85)
  expect(jsd / jsdNullMean(12, 2000, 600)).toBeLessThan(1.15)
  expect(nats / psiNullMean(12, 2000, 600)).toBeGreaterThan(0.85)
  expect(nats / psiNullMean(12, 2000, 600)).toBeLessThan(1.15)
})

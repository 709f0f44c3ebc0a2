"""python report_statistics.py goldens/statistics.json   Exact values for the statistics of the drift reports.
Numbers are float64 (shortest repr) from scipy / scikit-learn / numpy. Strings are 30 significant digits from mpmath or exact
fractions, for what no library offers; Number(string) gives the float64. null = undefined: the record must say so.
Wherever both exist they are compared here (relative 1e-9 for special functions, 1e-12 otherwise); the worst gap is in the file.
An input {"weyl":[n,a,m,shift]} stands for x_i = ((i*a) mod m)/m + shift, i = 0..n-1, exact in any language.
Definitions are in DEFS, copied into the file."""
import json, math, sys, warnings
from fractions import Fraction as Fr
import mpmath as mp, numpy as np, scipy, sklearn
from scipy import special, stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics as sk
warnings.filterwarnings("ignore")
mp.mp.dps = 50
rng = np.random.default_rng(20261120)
S = lambda v: None if v is None else mp.nstr(v if isinstance(v, mp.mpf) else mp.mpf(v.numerator) / v.denominator, 30)
gap = {}
DEFS = {
 "counts": "ref, cur: cell counts; N, M totals; B cells; p, q raw shares; pj, qj = (c+1/2)/(N+B/2). psi = sum (qj-pj) ln(qj/pj); psi_raw only when no cell is 0 on either side; psi_null_mean = (B-1)(1/N+1/M); psi_p = chi2.sf(psi/(1/N+1/M), B-1). jsd_bits on raw shares, jsd_bits_j on smoothed ones; hellinger = sqrt(1-sum sqrt(pq)); linf = max|p-q|; w1 = sum |P_k-Q_k| (pos_k+1 - pos_k), P, Q cumulative raw shares (= point masses at pos). chi2: 2xB, no correction, cells empty on both sides dropped, null when fewer than 2 remain.",
 "samples": "ks_d = max|F-G|; p_exact: scipy exact (ignores ties); p_asymp: scipy asymp = kstwo.sf(d, round(nm/(n+m))); p_kolmogorov = Q(sqrt(nm/(n+m)) d); w1 = integral |F-G|.",
 "two_by_two": "k1 of n1, k2 of n2. chi2 on [[k1,n1-k1],[k2,n2-k2]], without and with Yates; z pooled, two-sided p; null when a margin is 0.",
 "intervals": "k of n, two-sided level 1-alpha. Jeffreys: Beta(k+1/2, n-k+1/2) quantiles, lower 0 at k=0, upper 1 at k=n.",
 "fdr": "bh, by: adjusted p (scipy false_discovery_control); bh_reject: indices with bh <= .05; e = e-values (1/(2 sqrt p), 1e6 at p = 0), ebh_reject: indices of the k largest, k = max{k: e_(k) >= m/(k .05)}.",
 "scores": "y labels, s probabilities. auc (ties 1/2), null for one class; delong_var = var1(V10)/m + var1(V01)/n, placement values, ddof 1, null when m or n < 2; ap: scikit-learn average_precision_score, null without positives; log_loss: s clipped to [2^-52, 1-2^-52]; brier; ece: 10 equal-width cells, cell = min(floor(10 s), 9), sum n_b/n |ybar-sbar|; ece2_debiased = sum_{n_b>=2} n_b/n ((ybar-sbar)^2 - ybar(1-ybar)/(n_b-1)) (Kumar, Liang, Ma 2019; may be < 0; drift.md names ece_debiased without a formula); spiegelhalter_z = sum (y-s)(1-2s) / sqrt(sum (1-2s)^2 s(1-s)), null when the root is 0.",
 "kaplan_meier": "t durations, d: 1 = observed, 0 = right-censored; ties: events before censorings. times = distinct event times; surv = S(t) just after; greenwood = S^2 sum d/(n(n-d)), null when n = d."}


def check(name, lib, ref, tol=1e-12, floor=1e-3):   # gap relative to max(|ref|, floor)
    if lib is None or ref is None: assert lib is None and ref is None, (name, lib, ref); return
    ref = float(ref); g = abs(lib - ref) / max(abs(ref), floor)
    gap[name] = max(gap.get(name, 0.), g); assert g < tol, (name, lib, ref, g)


def f(v): return None if v is None or not math.isfinite(v) else float(v)


def counts(ref, cur, pos):
    B, N, M = len(ref), sum(ref), sum(cur)
    p, q = [mp.mpf(c) / N for c in ref], [mp.mpf(c) / M for c in cur]
    pj, qj = [(mp.mpf(c) + .5) / (N + mp.mpf(B) / 2) for c in ref], [(mp.mpf(c) + .5) / (M + mp.mpf(B) / 2) for c in cur]
    psi = lambda a, b: mp.fsum((y - x) * mp.log(y / x) for x, y in zip(a, b))
    kl = lambda a, b: mp.fsum(x * mp.log(2 * x / (x + y), 2) for x, y in zip(a, b) if x)
    jsd = lambda a, b: max(mp.mpf(0), (kl(a, b) + kl(b, a)) / 2)
    w = mp.mpf(1) / N + mp.mpf(1) / M
    P, Q = np.cumsum(ref), np.cumsum(cur)
    w1 = sum((abs(Fr(int(P[k]), N) - Fr(int(Q[k]), M)) * (Fr(pos[k + 1]) - Fr(pos[k])) for k in range(B - 1)), Fr(0))
    check("jsd_bits", float(jensenshannon(np.array(ref) / N, np.array(cur) / M, 2) ** 2) if ref != cur else 0., jsd(p, q), 1e-9)
    check("w1_binned", float(stats.wasserstein_distance(pos, pos, ref, cur)), float(w1))
    h = mp.sqrt(max(mp.mpf(0), 1 - mp.fsum(mp.sqrt(x * y) for x, y in zip(p, q))))
    if ref == cur: h = mp.mpf(0)
    v = psi(pj, qj); pp = mp.gammainc(mp.mpf(B - 1) / 2, v / w / 2, mp.inf, regularized=True) if B > 1 else None
    if B > 1: check("psi_p", float(stats.chi2.sf(float(v / w), B - 1)), pp, 1e-9, 1e-300)
    keep = [(a, b) for a, b in zip(ref, cur) if a + b]
    c = stats.chi2_contingency(np.array(keep).T, correction=False) if len(keep) > 1 else None
    return {"psi": S(v), "psi_raw": S(psi(p, q)) if all(ref) and all(cur) else None, "psi_null_mean": S((B - 1) * w), "psi_p": S(pp),
            "jsd_bits": S(jsd(p, q)), "jsd_bits_j": S(jsd(pj, qj)), "hellinger": S(h), "linf": S(max(abs(Fr(a, N) - Fr(b, M)) for a, b in zip(ref, cur))),
            "w1": S(w1), "chi2": f(c.statistic) if c else None, "chi2_dof": int(c.dof) if c else None, "chi2_p": f(c.pvalue) if c else None}


def expand(x):
    if isinstance(x, dict): n, a, m, sh = x["weyl"]; return [((i * a) % m) / m + sh for i in range(n)]
    return x


def samples(x, y):
    x, y = expand(x), expand(y); n, m = len(x), len(y)
    a = stats.ks_2samp(x, y, method="asymp"); small = n * m <= 10 ** 6
    e = stats.ks_2samp(x, y, method="exact") if small else None
    xs, ys = sorted(x), sorted(y); z = sorted(set(x) | set(y))
    F, G = np.searchsorted(xs, z, "right"), np.searchsorted(ys, z, "right")
    check("ks_d", float(a.statistic), max(abs(Fr(int(i), n) - Fr(int(j), m)) for i, j in zip(F, G)))
    if small: check("w1", float(stats.wasserstein_distance(x, y)), sum((abs(Fr(int(F[k]), n) - Fr(int(G[k]), m)) * (Fr(z[k + 1]) - Fr(z[k])) for k in range(len(z) - 1)), Fr(0)))
    return {"ks_d": f(a.statistic), "p_exact": f(e.pvalue) if e else None, "p_asymp": f(a.pvalue),
            "p_kolmogorov": f(special.kolmogorov(math.sqrt(n * m / (n + m)) * a.statistic)), "w1": f(stats.wasserstein_distance(x, y))}


def two_by_two(k1, n1, k2, n2):
    t = np.array([[k1, n1 - k1], [k2, n2 - k2]])
    if 0 in t.sum(0) or 0 in t.sum(1): return {k: None for k in ("chi2", "chi2_p", "yates", "yates_p", "z", "z_p")}
    a, b = (stats.chi2_contingency(t, correction=c) for c in (False, True))
    p = mp.mpf(k1 + k2) / (n1 + n2)
    z = (mp.mpf(k1) / n1 - mp.mpf(k2) / n2) / mp.sqrt(p * (1 - p) * (mp.mpf(1) / n1 + mp.mpf(1) / n2))
    check("z^2 = chi2", a.statistic, z * z, 1e-9)
    return {"chi2": f(a.statistic), "chi2_p": f(a.pvalue), "yates": f(b.statistic), "yates_p": f(b.pvalue), "z": S(z), "z_p": S(mp.erfc(abs(z) / mp.sqrt(2)))}


def intervals(k, n, alpha):
    w = stats.binomtest(k, n).proportion_ci(1 - alpha, "wilson")
    z = mp.sqrt(2) * mp.erfinv(1 - mp.mpf(str(alpha))); ph = mp.mpf(k) / n
    c, h, d = ph + z * z / (2 * n), z * mp.sqrt(ph * (1 - ph) / n + z * z / (4 * n * n)), 1 + z * z / n
    check("wilson", w.high, (c + h) / d); check("wilson", max(0., w.low), max(mp.mpf(0), (c - h) / d) if k else mp.mpf(0), 1e-9)
    j = [0. if k == 0 else stats.beta.ppf(alpha / 2, k + .5, n - k + .5), 1. if k == n else stats.beta.ppf(1 - alpha / 2, k + .5, n - k + .5)]
    for v, t in zip(j, (alpha / 2, 1 - alpha / 2)):
        if 0 < v < 1 and n < 10 ** 5: check("jeffreys: cdf(quantile)", float(mp.betainc(k + .5, n - k + .5, 0, mp.mpf(float(v)), regularized=True)), t, 1e-9)
    return {"wilson": [f(w.low), f(w.high)], "jeffreys": [f(v) for v in j]}


def fdr(p):
    bh, by = (stats.false_discovery_control(p, method=m) for m in ("bh", "by")); m = len(p)
    e = [1e6 if x == 0 else 1 / (2 * math.sqrt(x)) for x in p]; o = sorted(range(m), key=lambda i: (-e[i], i))
    k = max([i + 1 for i in range(m) if e[o[i]] >= m / ((i + 1) * .05)], default=0)
    return {"bh": [f(v) for v in bh], "by": [f(v) for v in by], "bh_reject": [i for i in range(m) if bh[i] <= .05], "e": e, "ebh_reject": sorted(o[:k])}


def scores(y, s):
    if isinstance(s, dict): s = expand(s); y = [int((i * 7919) % 1000 < 1000 * v) for i, v in enumerate(s)]
    n = len(y); m1 = sum(y); m0 = n - m1; y_, s_ = np.array(y), np.array(s, dtype=float)
    auc = dl = None
    pos, neg = [a for a, b in zip(s, y) if b], [a for a, b in zip(s, y) if not b]
    if m1 and m0:
        sn, sp = np.sort(neg), np.sort(pos)
        V = [Fr(int(np.searchsorted(sn, a, "left") + np.searchsorted(sn, a, "right")), 2 * m0) for a in pos]
        W = [1 - Fr(int(np.searchsorted(sp, a, "left") + np.searchsorted(sp, a, "right")), 2 * m1) for a in neg]
        auc = float(sk.roc_auc_score(y_, s_)); check("auc", auc, sum(V) / m1)
        if m1 > 1 and m0 > 1:
            var = lambda x: sum((v - sum(x) / len(x)) ** 2 for v in x) / (len(x) - 1) if len(x) < 200 else Fr(len(x) * sum(v * v for v in x) - sum(x) ** 2) / len(x) / (len(x) - 1)
            dl = var(V) / m1 + var(W) / m0
    mps = [mp.mpf(float(v)) for v in s]; eps = mp.mpf(2) ** -52
    ll = -mp.fsum(mp.log(min(max(v, eps), 1 - eps) if b else 1 - min(max(v, eps), 1 - eps)) for v, b in zip(mps, y)) / n
    lib = float(sk.log_loss(y_, s_, labels=[0, 1])); check("log_loss", lib, ll, 1e-9)
    br = float(np.mean((s_ - y_) ** 2)); check("brier", br, mp.fsum((v - b) ** 2 for v, b in zip(mps, y)) / n)
    cell = {}
    for v, b in zip(s, y): cell.setdefault(min(int(10 * v), 9), []).append((Fr(float(v)), b))
    ece, e2 = Fr(0), Fr(0)
    for c in cell.values():
        k = len(c); yb, sb = Fr(sum(b for _, b in c), k), sum(v for v, _ in c) / k
        ece += Fr(k, n) * abs(yb - sb)
        if k > 1: e2 += Fr(k, n) * ((yb - sb) ** 2 - yb * (1 - yb) / (k - 1))
    den = mp.fsum((1 - 2 * v) ** 2 * v * (1 - v) for v in mps)
    z = mp.fsum((b - v) * (1 - 2 * v) for v, b in zip(mps, y)) / mp.sqrt(den) if den > 0 else None
    return {"auc": auc, "delong_var": S(dl), "ap": f(sk.average_precision_score(y_, s_)) if m1 else None, "log_loss": lib, "brier": br,
            "ece": S(ece), "ece2_debiased": S(e2), "spiegelhalter_z": S(z)}


def kaplan_meier(t, d):
    ts = sorted({a for a, b in zip(t, d) if b}); s, v, sv, g = Fr(1), Fr(0), [], []
    for x in ts:
        n, k = sum(a >= x for a in t), sum(a == x and b for a, b in zip(t, d))
        s *= Fr(n - k, n); sv.append(s); v = None if v is None or n == k else v + Fr(k, n * (n - k)); g.append(None if v is None else s * s * v)
    ec = stats.ecdf(stats.CensoredData(uncensored=[a for a, b in zip(t, d) if b], right=[a for a, b in zip(t, d) if not b])).sf
    for x, y in zip(ts, sv): check("kaplan_meier", float(ec.evaluate(x)), y, 1e-9)
    return {"times": ts, "surv": [S(x) for x in sv], "greenwood": [S(x) for x in g]}


def inputs():
    r = lambda x, k: [round(float(v), k) for v in x]; I = lambda x: [int(v) for v in x]
    A = [([10, 20, 30], [10, 20, 30]), ([10, 20, 30], [1, 2, 3]), ([10, 0, 30], [10, 20, 30]), ([10, 20, 30], [0, 20, 30]), ([10, 0, 30], [10, 0, 20]),
         ([5], [7]), ([10, 0], [0, 10]), ([1, 0], [0, 1]), ([1, 0], [1, 0]), ([100, 0, 0], [0, 0, 1]), ([1, 0, 0, 0], [25, 25, 25, 25]),
         ([10 ** 9, 2 * 10 ** 9], [2 * 10 ** 9, 10 ** 9]), ([10 ** 6, 1], [10 ** 6, 2]), ([10 ** 9, 10 ** 9], [10 ** 9 + 1000, 10 ** 9 - 1000])]
    while len(A) < 30:
        b = int(rng.choice([2, 5, 10, 15, 20, 30])); w = rng.dirichlet(np.full(b, .7)); u = rng.dirichlet(w * 200 + .01)
        A.append((I(rng.multinomial(int(rng.choice([50, 1000, 50000])), w)), I(rng.multinomial(int(rng.choice([30, 500, 20000])), u))))
    C = []
    for i, (a, b) in enumerate(A): C.append({"ref": a, "cur": b, "pos": list(range(len(a))) if i % 2 == 0 else r(np.cumsum(rng.exponential(2, len(a))), 2)})
    B = [([0.], [0.]), ([0.], [1.]), ([1., 1., 1.], [1., 1.]), ([1., 2., 3.], [1., 2., 3.]), ([1., 2., 3.], [4., 5.]), ([0., 0., 1.], [0., 1., 1., 1.]),
         ([1e9, 1e9 + 1], [1e9 + .5]), ([-1e-9, 0., 1e-9], [0.]), ([1.], r(rng.normal(size=12), 2)), ({"weyl": [500, 377, 1009, 0]}, {"weyl": [700, 613, 1013, .05]}),
         ({"weyl": [12000, 7919, 100003, 0]}, {"weyl": [9000, 6007, 90001, .02]}), ({"weyl": [20000, 7919, 100003, 0]}, {"weyl": [20000, 6007, 90001, 0]}), ({"weyl": [300, 7, 10, 0]}, {"weyl": [200, 3, 8, 0]})]
    while len(B) < 30:
        n, m = (int(v) for v in rng.integers(2, 22, 2)); k = int(rng.integers(0, 3)); sh = float(rng.choice([0, .5, 1.5]))
        B.append((r(rng.normal(size=n), k), r(rng.standard_t(3, m) + sh, k)))
    T = [(0, 10, 0, 10), (10, 10, 10, 10), (0, 1, 1, 1), (1, 1, 1, 1), (0, 10, 5, 10), (10, 10, 5, 10), (1, 2, 1, 2), (5, 10, 5, 10), (1, 100, 2, 100), (0, 1, 50, 100), (10 ** 6, 10 ** 7, 10 ** 6 + 500, 10 ** 7), (3, 7, 300, 700)]
    while len(T) < 30:
        n, m = (int(v) for v in rng.choice([8, 30, 200, 5000, 10 ** 6], 2)); p = rng.random(); T.append((int(rng.binomial(n, p)), n, int(rng.binomial(m, min(1, p * 1.1))), m))
    K = [(0, 1), (1, 1), (0, 10), (10, 10), (1, 2), (5, 10), (0, 10 ** 6), (1, 10 ** 6), (10 ** 6, 10 ** 6), (1, 1000), (999, 1000)]
    while len(K) < 30: n = int(rng.choice([3, 20, 100, 5000, 10 ** 6])); K.append((int(rng.binomial(n, rng.random() ** 2)), n))
    P = [[.03], [.9], [0., 1.], [.05] * 4, [.01, .02, .03, .04, .05], [1.] * 5, [0.] * 3, [.04, .001, .001, .5], [.0500001, .05], [1e-300, 1e-12, .2]]
    while len(P) < 30: m = int(rng.integers(2, 14)); P.append([float(f"{v:.3g}") for v in rng.random(m) ** rng.choice([1, 3, 8])])
    Y = [([1], [.7]), ([0], [.7]), ([1], [0.]), ([1, 0], [.5, .5]), ([1, 0], [.9, .1]), ([1, 0], [.1, .9]), ([1, 1, 1], [.2, .5, .9]), ([0, 0, 0], [.2, .5, .9]), ([1, 0, 1, 0], [.5] * 4),
         ([1, 1, 0, 0], [1., 1., 0., 0.]), ([0, 1, 1, 0], [1., 0., .5, .5]), ([1, 0, 1, 1, 0, 0], [.3, .3, .3, .6, .6, .1]), ([0, 1] * 5, r(np.arange(10) / 10, 1)), ([0, 0, 0, 0, 1], [.01, .02, .02, .03, .02]), (None, {"weyl": [2000, 7919, 10007, 0]}), ([1, 0, 0, 1], [1e-12, 1e-12, .999999999999, .999999999999])]
    while len(Y) < 30:
        n = int(rng.integers(5, 31)); s = r(rng.beta(1, 2, n), int(rng.integers(1, 4))); Y.append((I(rng.random(n) < np.array(s)), s))
    Q = [([1], [1]), ([1], [0]), ([1, 2, 3], [1, 1, 1]), ([1, 2, 3], [0, 0, 0]), ([1, 1, 1], [1, 1, 1]), ([1, 1, 1, 2], [1, 0, 1, 0]), ([0, 0, 1], [1, 0, 1]), ([2, 2, 2, 5], [0, 0, 1, 0]), ([.5, .5, 1.5, 7], [1, 0, 0, 1])]
    while len(Q) < 30:
        n = int(rng.integers(3, 13)); Q.append((r(np.minimum(10, rng.lognormal(.7, .6, n)), int(rng.integers(0, 2))), I(rng.random(n) < .7)))
    yield "counts", [{"in": c, "out": counts(c["ref"], c["cur"], c["pos"])} for c in C]
    yield "samples", [{"in": {"x": x, "y": y}, "out": samples(x, y)} for x, y in B]
    yield "two_by_two", [{"in": dict(zip(("k1", "n1", "k2", "n2"), t)), "out": two_by_two(*t)} for t in T]
    yield "intervals", [{"in": {"k": k, "n": n, "alpha": a}, "out": intervals(k, n, a)} for i, (k, n) in enumerate(K) for a in ((.05, .01) if i % 3 == 0 else (.05,))]
    yield "fdr", [{"in": {"p": p}, "out": fdr(p)} for p in P]
    yield "scores", [{"in": {"y": y, "s": s}, "out": scores(y, s)} for y, s in Y]
    yield "kaplan_meier", [{"in": {"t": t, "d": d}, "out": kaplan_meier(t, d)} for t, d in Q]


out = {"about": __doc__.split("\n"), "versions": {m.__name__: m.__version__ for m in (np, scipy, sklearn, mp)}, "definitions": DEFS, "cases": {}}
for name, c in inputs(): out["cases"][name] = c
out["largest_relative_gap_library_vs_exact"] = gap
DEFS["scores"] += ' For s given as weyl: y_i = 1 when (i*7919 mod 1000) < 1000 s_i.'
with open(sys.argv[1], "w") as fo:   # one case per line
    head = {k: v for k, v in out.items() if k != "cases"}
    fo.write(json.dumps(head, indent=1)[:-2] + ',\n "cases": {\n' + ",\n".join(f'  "{k}": [\n' + ",\n".join("   " + json.dumps(c, separators=(",", ":")) for c in v) + "\n  ]" for k, v in out["cases"].items()) + "\n }\n}\n")
json.load(open(sys.argv[1])); print({k: len(v) for k, v in out["cases"].items()}, gap)

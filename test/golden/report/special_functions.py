"""python special_functions.py goldens/special-functions.json

Values of the special functions that the reports need, and of the pooled chi-square, from mpmath and SciPy.
Numbers are float64 in shortest form; mpmath computes with 50 digits and is rounded once."""
import json
import sys

import mpmath as mp
import numpy as np
import scipy
from scipy import stats

mp.mp.dps = 50
rng = np.random.default_rng(20010205)


def log_gamma():
    xs = [1e-6, 0.1, 0.5, 1, 1.5, 2, 3, 7.25, 10, 33.3, 100, 171, 500.5, 1e4, 1e6]
    return [{"x": x, "value": float(mp.loggamma(x))} for x in xs]


def chi_square_tail():
    cases = []
    for k in (1, 2, 3, 5, 9, 14, 30, 99, 250):
        for x in (0.0, 1e-6, 0.3, 1, 5, k, 2 * k, 3 * k + 20, 400, 1200):
            exact = mp.gammainc(mp.mpf(k) / 2, mp.mpf(x) / 2, mp.inf, regularized=True)
            if exact > 1e-290:
                cases.append({"x": x, "freedom": k, "p": float(exact)})
    return cases


def normal_quantile():
    ps = [1e-12, 1e-6, 0.001, 0.005, 0.025, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.975, 0.995, 0.999999]
    return [{"p": p, "z": float(mp.sqrt(2) * mp.erfinv(2 * mp.mpf(p) - 1))} for p in ps]


def pooled_chi_square():
    """Neighbouring cells are joined until the smaller expected count is 5; a poor rest joins the last pool."""
    cases = []
    for _ in range(25):
        cells = int(rng.integers(2, 40))
        shares = rng.dirichlet(np.full(cells, 0.4))
        ref = rng.multinomial(int(rng.choice([60, 800, 20000])), shares)
        cur = rng.multinomial(int(rng.choice([20, 300, 1500])), shares)
        n, m = ref.sum(), cur.sum()
        pools, open_ = [], np.zeros(2)
        for pair in zip(ref, cur):
            open_ = open_ + pair
            if open_.sum() * min(n, m) >= 5 * (n + m):
                pools.append(open_)
                open_ = np.zeros(2)
        if pools:
            pools[-1] = pools[-1] + open_
        out = None
        if len(pools) > 1:
            test = stats.chi2_contingency(np.array(pools).T, correction=False)
            out = {"statistic": float(test.statistic), "freedom": int(test.dof), "p": float(test.pvalue)}
        cases.append({"ref": ref.tolist(), "cur": cur.tolist(), "out": out})
    return cases


families = {f.__name__: f() for f in (log_gamma, chi_square_tail, normal_quantile, pooled_chi_square)}
versions = {m.__name__: m.__version__ for m in (np, scipy, mp)}
with open(sys.argv[1], "w") as out:
    json.dump({"about": __doc__.split("\n"), "versions": versions, "cases": families}, out, indent=1)
    out.write("\n")
print({name: len(cases) for name, cases in families.items()})

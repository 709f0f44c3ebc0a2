"""recompute.py <folder> <profile.json>

Recomputes what Tidemark reports from what its topics hold, with SciPy and scikit-learn and none of Tidemark's code.
The folder holds predictions.jsonl and outcomes.jsonl as `tidemark tail --json` prints them. Writes one JSON object:
every weekly drift and coverage number by "<week's start>|<segment>|<feature>", and the realised AUC. Where a week or
the reference has no row in the compared cells there is no drift number.
"""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import rel_entr
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, chi2, norm, rankdata
from sklearn.metrics import roc_auc_score

DAY = 86_400_000
WEEK = 7 * DAY
FIRST_MONDAY = 4 * DAY
SCORE = "__score__"
GUARDS = ["below", "above", "null", "nan", "default", "unknown", "invalid", "stale", "warming", "approximate"]
COMPARED = {"below", "above", "null", "nan", "unknown"}
ABSENT = {"null", "nan", "default", "invalid"}
MOST_BINS = 20


def lines(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["value"]


def bins_of(frame):
    return len(frame["edges"]) - 1 if frame["kind"] == "numeric" else len(frame["vocabulary"])


def week_of(time):
    return (time - FIRST_MONDAY) // WEEK * WEEK + FIRST_MONDAY


def count_cells(predictions, frames):
    """Rows per cell, by (week, segment, feature)."""
    counts = {}
    for row in predictions:
        segments = ["", *(f"{name}={value}" for name, value in row["segments"].items())]
        for feature, cell in row["cells"].items():
            for segment in segments:
                key = (week_of(row["time"]), segment, feature)
                if key not in counts:
                    counts[key] = np.zeros(bins_of(frames[feature]) + len(GUARDS), dtype=int)
                counts[key][cell] += 1
    return counts


def groups_of(frame, reference):
    """Bins as slices; many ordered bins are joined until each group has its part of the reference."""
    bins = bins_of(frame)
    if frame["kind"] != "numeric" or bins <= MOST_BINS:
        return [slice(k, k + 1) for k in range(bins)]
    groups, start = [], 0
    below = np.cumsum(reference[:bins])
    for k in range(bins):
        wanted = below[-1] * (len(groups) + 1) / MOST_BINS
        if k == bins - 1 or below[k] >= wanted * (1 - 1e-9):
            groups.append(slice(start, k + 1))
            start = k + 1
    return groups


def compared(frame, reference, current):
    bins = bins_of(frame)
    guards = [slice(bins + k, bins + k + 1) for k, guard in enumerate(GUARDS) if guard in COMPARED]
    pairs = [(reference[part].sum(), current[part].sum()) for part in [*groups_of(frame, reference), *guards]]
    return np.array([pair for pair in pairs if sum(pair) > 0]).T


def chi_square(reference, current, least_expected=5):
    """Pearson's test on the 2 x K table, neighbours pooled where the smaller expected count is too small."""
    n, m = reference.sum(), current.sum()
    pools, pool = [], np.zeros(2)
    for column in zip(reference, current):
        pool = pool + column
        if pool.sum() * min(n, m) / (n + m) >= least_expected:
            pools.append(pool)
            pool = np.zeros(2)
    if pools:
        pools[-1] = pools[-1] + pool
    if len(pools) < 2:
        return 1.0
    table = np.array(pools).T
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(chi2.sf(((table - expected) ** 2 / expected).sum(), len(pools) - 1))


def drift(frame, reference, current):
    """Jensen-Shannon divergence in bits on shares smoothed with half a row per cell."""
    p, q = compared(frame, reference, current)
    n, m, cells = p.sum(), q.sum(), len(p)
    if n == 0 or m == 0:
        return None
    smooth = lambda counts: (counts + 0.5) / (counts.sum() + cells / 2)
    a, b = smooth(p), smooth(q)
    middle = (a + b) / 2
    value = (rel_entr(a, middle).sum() + rel_entr(b, middle).sum()) / 2 / np.log(2)
    assert abs(value - jensenshannon(a, b, base=2) ** 2) < 1e-9
    null_mean = (cells - 1) * (1 / n + 1 / m) / (8 * np.log(2))
    return {
        "value": value,
        "nullMean": null_mean,
        "corrected": max(0.0, value - null_mean),
        "pValue": chi_square(p, q),
        "n": int(m),
        "nReference": int(n),
    }


@cache
def wilson(k, n):
    interval = binomtest(k, n).proportion_ci(method="wilson")
    return {"k": k, "n": n, "lo": interval.low, "hi": interval.high}


def coverage(frame, current):
    n = int(current.sum())
    in_guard = {guard: int(current[bins_of(frame) + k]) for k, guard in enumerate(GUARDS)}
    shares = {guard: wilson(k, n) for guard, k in in_guard.items()}
    shares["present"] = wilson(n - sum(in_guard[guard] for guard in ABSENT), n)
    shares["outOfRange"] = wilson(in_guard["below"] + in_guard["above"], n)
    return shares


def auc_of(predictions, outcomes):
    """The area of what was served against the last label known, with DeLong's interval."""
    labels = {}
    for outcome in outcomes:
        if outcome["state"] != "orphan" and isinstance(outcome["label"], bool):
            labels[outcome["id"]] = outcome["label"]
    rows = [(row["score"], labels[row["id"]]) for row in predictions if row["id"] in labels]
    scores, late = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    value = roc_auc_score(late, scores)
    ranks = rankdata(scores)
    positive = (ranks[late] - rankdata(scores[late])) / (~late).sum()
    negative = 1 - (ranks[~late] - rankdata(scores[~late])) / late.sum()
    error = np.sqrt(positive.var(ddof=1) / late.sum() + negative.var(ddof=1) / (~late).sum())
    reach = norm.ppf(0.975) * error
    return {"realised": value, "lo": value - reach, "hi": value + reach, "rows": len(rows)}


def main(folder, profile_path):
    profile = json.loads(Path(profile_path).read_text(encoding="utf-8"))
    frames = {**profile["features"], SCORE: profile["score"]}
    predictions = list(lines(Path(folder) / "predictions.jsonl"))
    counts = count_cells(predictions, frames)
    found = {"drift": {}, "coverage": {}}
    for (week, segment, feature), current in counts.items():
        key = f"{week}|{segment}|{feature}"
        reference = profile["counts"][feature].get(segment)
        if reference is not None and sum(reference) > 0:
            found["drift"][key] = drift(frames[feature], np.array(reference), current)
        if feature != SCORE:
            found["coverage"][key] = coverage(frames[feature], current)
    found["auc"] = auc_of(predictions, lines(Path(folder) / "outcomes.jsonl"))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Trains the late-arrival model from a training set that `tidemark backfill` wrote.

Input: one JSON object per line, with `id`, `time`, `values`, `statuses`, `label` and `labelTime`. Rows without a
label, and rows that serving would not give to a model (an input missing or invalid), are left out and counted.

Output: late-arrival.onnx and manifest.json; simple.onnx and simple.json, the same kind of model on the clock and the
distance alone, which the full one has to beat. Same input, same bytes.
"""

import argparse
import hashlib
import json
import math
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.stats import norm, rankdata
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier

INPUTS = [
    "originDepartures1h",
    "originDepartures24h",
    "originDepartures7d",
    "originDelay24h",
    "originDelay7d",
    "originLateShare24h",
    "originLateShare7d",
    "destinationDepartures24h",
    "destinationDelay24h",
    "destinationDelay7d",
    "destinationLateShare24h",
    "destinationLateShare7d",
    "hour",
    "weekday",
    "distance",
]
SIMPLE_INPUTS = ["hour", "weekday", "distance"]
CANDIDATES = {"late-arrival": INPUTS, "simple": SIMPLE_INPUTS}
MANIFESTS = {"late-arrival": "manifest.json", "simple": "simple.json"}
VERSION = 1
SEED = 20010131
PARAMETERS = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.1}
OPSET = {"": 15, "ai.onnx.ml": 3}
LEVEL = 0.95
DAY_MS = 86_400_000
FOLD_DAYS = 7
FOLDS = 3
BLOCKS = 5
GOLDEN_ROWS = 8
GOLDEN_TOLERANCE = 1e-6
EXPORT_TOLERANCE = 1e-5


def main():
    arguments = parse_arguments()
    rows, left_out = read_rows(arguments.training_set, arguments.until)
    folds = out_of_time_folds(rows)
    scores = {name: fold_scores(rows, inputs, folds) for name, inputs in CANDIDATES.items()}
    labels = np.concatenate([rows["label"][test] for _, test in folds])
    threshold = best_threshold(labels, scores["late-arrival"])
    training = {
        "set": {"sha256": sha256(arguments.training_set.read_bytes()), **describe(rows), "leftOut": left_out},
        "seed": SEED,
        "estimator": {"kind": "GradientBoostingClassifier", **PARAMETERS},
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("numpy", "scikit-learn", "skl2onnx", "onnx", "onnxruntime")},
    }
    files = {}
    for name, inputs in reversed(CANDIDATES.items()):
        model = fit(rows["values"][:, columns(inputs)], rows["label"])
        auc = {
            "outOfTime": {**auc_with_interval(labels, scores[name]), "rows": len(labels), "folds": FOLDS},
        }
        if name != "simple":
            auc["simple"] = auc_with_interval(labels, scores["simple"])
            auc["better"] = auc_difference(labels, scores[name], scores["simple"])
        onnx = export(name, inputs, model, rows)
        files[f"{name}.onnx"] = sha256(onnx)
        (arguments.out / f"{name}.onnx").write_bytes(onnx)
        manifest = manifest_of(name, inputs, onnx, rows)
        manifest |= {"threshold": threshold, "training": {**training, "auc": auc}, "files": files}
        write_manifest(arguments.out / MANIFESTS[name], manifest)
    if arguments.scores:
        write_scores(arguments.scores, rows)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Train the late-arrival model from a Tidemark training set.")
    parser.add_argument("training_set", type=Path, help="JSON lines written by `tidemark backfill`")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the models (default: this one)")
    parser.add_argument("--until", type=int, help="leave out rows and labels from this event time in ms on")
    parser.add_argument("--scores", type=Path, help="write each row's score by a model that had not seen it, as JSON lines")
    return parser.parse_args()


def read_rows(file, until):
    """The rows in event-time order as arrays; and how many were left out, by reason."""
    kept = []
    left_out = {"unlabelled": 0, "invalidInput": 0, "afterUntil": 0}
    with file.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["label"] is None:
                left_out["unlabelled"] += 1
            elif until is not None and max(row["time"], row["labelTime"]) >= until:
                left_out["afterUntil"] += 1
            elif not all(is_valid(row, name) for name in INPUTS):
                left_out["invalidInput"] += 1
            else:
                kept.append(row)
    kept.sort(key=lambda row: (row["time"], row["id"]))
    return {
        "id": [row["id"] for row in kept],
        "time": np.array([row["time"] for row in kept], dtype=np.int64),
        "label_time": np.array([row["labelTime"] for row in kept], dtype=np.int64),
        "label": np.array([bool(row["label"]) for row in kept], dtype=np.int64),
        # A model is served float32, so it learns from float32.
        "values": np.array([[row["values"][name] for name in INPUTS] for row in kept], dtype=np.float32),
    }, left_out


def is_valid(row, name):
    """As serving sees it: an input must be there, be a number, and its status must not say otherwise."""
    value = row["values"].get(name)
    if row["statuses"].get(name) in ("missing", "invalid") or isinstance(value, str) or value is None:
        return False
    return math.isfinite(np.float32(value))


def fit(values, labels):
    return GradientBoostingClassifier(random_state=SEED, **PARAMETERS).fit(values, labels)


def columns(inputs):
    return [INPUTS.index(name) for name in inputs]


def out_of_time_folds(rows):
    """Pairs (past, next week): each week is scored by a model that knew only the labels from before it began."""
    end = int(rows["time"][-1]) + 1
    folds = []
    for week in range(FOLDS, 0, -1):
        start = end - week * FOLD_DAYS * DAY_MS
        past = rows["label_time"] < start
        test = (rows["time"] >= start) & (rows["time"] < start + FOLD_DAYS * DAY_MS)
        folds.append((past, test))
    return folds


def fold_scores(rows, inputs, folds):
    values = rows["values"][:, columns(inputs)]
    models = [fit(values[past], rows["label"][past]) for past, _ in folds]
    return np.concatenate([probability(model, values[test]) for model, (_, test) in zip(models, folds)])


def probability(model, values):
    return model.predict_proba(values)[:, 1]


def delong(labels, scores):
    """The area under the ROC curve and its parts (DeLong, DeLong, Clarke-Pearson 1988; ranks as Sun and Xu 2014)."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    by_positive = (ranks[:m] - rankdata(positive)) / n
    by_negative = 1 - (ranks[m:] - rankdata(negative)) / m
    return by_positive.mean(), by_positive, by_negative


def interval(value, by_positive, by_negative):
    error = math.sqrt(by_positive.var(ddof=1) / len(by_positive) + by_negative.var(ddof=1) / len(by_negative))
    reach = norm.ppf(0.5 + LEVEL / 2) * error
    return {"value": round(value, 6), "lo": round(value - reach, 6), "hi": round(value + reach, 6), "level": LEVEL}


def auc_with_interval(labels, scores):
    return interval(*delong(labels, scores))


def auc_difference(labels, scores, others):
    """Paired: both models scored the same rows."""
    (a, a_positive, a_negative), (b, b_positive, b_negative) = delong(labels, scores), delong(labels, others)
    return interval(a - b, a_positive - b_positive, a_negative - b_negative)


def best_threshold(labels, scores):
    """The hundredth with the best F1 on rows that the model had not seen."""
    def f1(threshold):
        said = scores >= threshold
        return 2 * np.sum(said & (labels == 1)) / (np.sum(said) + np.sum(labels))

    return max((hundredth / 100 for hundredth in range(1, 100)), key=f1)


def export(name, inputs, model, rows):
    """The ONNX file, once it gives what the trained model gives on every row."""
    values = rows["values"][:, columns(inputs)]
    onnx = convert(name, model, len(inputs))
    worst = np.abs(serve(onnx, values) - probability(model, values)).max()
    if worst > EXPORT_TOLERANCE:
        raise SystemExit(f"{name}: the exported model differs from the trained one by {worst}")
    return onnx


def manifest_of(name, inputs, onnx, rows):
    values = rows["values"][:, columns(inputs)]
    return {
        "format": 1,
        "name": name,
        "version": VERSION,
        "file": f"{name}.onnx",
        "sha256": sha256(onnx),
        "opset": {"ai.onnx": OPSET[""], "ai.onnx.ml": OPSET["ai.onnx.ml"]},
        "inputs": inputs,
        "input": "input",
        "output": {"name": "probabilities", "column": 1},
        "golden": golden(values, serve(onnx, values)),
    }


def write_manifest(file, manifest):
    file.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    print(f"{manifest['file']}: sha256 {manifest['sha256']}")
    for name, auc in manifest["training"]["auc"].items():
        print(f"  AUC {name}: {auc['value']:.4f} [{auc['lo']:.4f}, {auc['hi']:.4f}]")


def convert(name, model, width):
    """One float32 matrix in, the probabilities as a plain tensor out (no ZipMap: a map cannot be fetched)."""
    converted = convert_sklearn(
        model,
        name=name,
        initial_types=[("input", FloatTensorType([None, width]))],
        target_opset=OPSET,
        options={id(model): {"zipmap": False}},
    )
    # The converter lists the operator sets in the order of a hash table that differs from run to run.
    operator_sets = sorted(converted.opset_import, key=lambda operator_set: operator_set.domain)
    del converted.opset_import[:]
    converted.opset_import.extend(operator_sets)
    return converted.SerializeToString(deterministic=True)


def serve(onnx, values):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"input": values})[0][:, 1]


def golden(values, served):
    """Rows from the lowest score to the highest."""
    order = np.argsort(served, kind="stable")
    picked = order[np.linspace(0, len(order) - 1, GOLDEN_ROWS).astype(int)]
    rows = [{"inputs": values[row].tolist(), "score": float(served[row])} for row in picked]
    return {"tolerance": GOLDEN_TOLERANCE, "rows": rows}


def describe(rows):
    return {
        "rows": len(rows["id"]),
        "positives": int(rows["label"].sum()),
        "from": int(rows["time"][0]),
        "to": int(rows["time"][-1]),
    }


def write_scores(file, rows):
    """Cross-fitted over blocks of time: what a reference profile counts are scores of rows that were not learnt."""
    scores = np.empty(len(rows["id"]))
    everything = np.arange(len(scores))
    for block in np.array_split(everything, BLOCKS):
        rest = np.setdiff1d(everything, block)
        model = fit(rows["values"][rest], rows["label"][rest])
        scores[block] = probability(model, rows["values"][block])
    lines = (json.dumps({"id": id, "score": float(score)}) for id, score in zip(rows["id"], scores))
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()

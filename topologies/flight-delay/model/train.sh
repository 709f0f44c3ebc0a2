#!/bin/sh
# Trains the model from a training set that `tidemark backfill` wrote: train.sh <training-set.jsonl> [more arguments].
# Makes a Python environment from the locked requirements once, in .venv beside this script (ignored by git).
set -eu
folder=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
environment="$folder/.venv"
stamp="$environment/installed.txt"
if ! cmp -s "$folder/requirements.txt" "$stamp"; then
  "${PYTHON:-python3}" -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$folder/requirements.txt"
  cp "$folder/requirements.txt" "$stamp"
fi
# One thread: floating-point sums then do not depend on the number of processors.
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 exec "$environment/bin/python" "$folder/train.py" "$@"

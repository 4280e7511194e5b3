#!/usr/bin/env bash
# One would guess: Somers' D of outcomes and scores that are all equal is 0, as SciPy says of the same counts given as a table.
# What happens: given as two rankings it is NaN (and its p-value), though pairs that differ in the first ranking abound.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet scipy==1.17.1 numpy==2.4.6 2>/dev/null
venv/bin/python -W ignore - <<'PY'
import math

import numpy as np
import scipy
from scipy import stats

print("scipy", scipy.__version__)
rankings = stats.somersd([0, 0, 0, 1, 1, 1], [2, 2, 2, 2, 2, 2])
table = stats.somersd(np.array([[3, 0], [3, 0]]))
nearly = stats.somersd([0, 0, 0, 1, 1, 1], [2, 2, 2, 2, 2, 3])
print("two rankings, the second all equal:", rankings.statistic)
print("the same counts as a table:", table.statistic)
print("one score differs:", round(float(nearly.statistic), 4))
assert math.isnan(rankings.statistic) and math.isnan(rankings.pvalue)
assert table.statistic == 0.0
PY

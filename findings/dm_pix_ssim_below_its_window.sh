#!/usr/bin/env bash
# One would guess: SSIM of pictures smaller than its 11-pixel window is an error (scikit-image raises), or the window shrinks.
# What happens: dm_pix returns a number; its map of a 4x4 picture is 8x8, for the filter and the picture silently change places.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet dm_pix==0.4.5 jax==0.10.2 scikit-image==0.26.0 2>/dev/null
JAX_PLATFORMS=cpu venv/bin/python - <<'PY'
import importlib.metadata as metadata

import dm_pix
import numpy as np
from skimage import metrics

for name in ("dm_pix", "jax", "scikit-image"):
  print(name, metadata.version(name))
rng = np.random.default_rng(0)
shapes = {}
for size in (4, 8, 11, 16):
  a, b = rng.uniform(size=(2, size, size, 1)).astype(np.float32)
  value = float(dm_pix.ssim(a, b))
  shapes[size] = dm_pix.ssim(a, b, return_map=True).shape[:2]
  print(f"dm_pix.ssim of {size}x{size} noise: {value:.3f}, map {shapes[size]}")
try:
  metrics.structural_similarity(
    a[:4, :4, 0], b[:4, :4, 0], data_range=1.0, win_size=11
  )
  raised = False
except ValueError as error:
  raised = True
  print("scikit-image, 4x4 with an 11-pixel window: ValueError:", error)
assert raised
assert shapes == {4: (8, 8), 8: (4, 4), 11: (1, 1), 16: (6, 6)}, shapes
PY

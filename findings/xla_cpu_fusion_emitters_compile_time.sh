#!/usr/bin/env bash
# One would guess: the loop emitter that XLA's CPU backend now uses by default compiles about as fast as the one it replaced.
# What happens: jax 0.10.2 takes over 1.5 times the CPU time for a program of many unrolled elementwise steps (here about 2; about 4 at optimization level 0).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/compile.py" <<'PY'
"""Prints the CPU seconds that compiling the nearest of 40 spheres takes."""

import time

import jax
import jax.numpy as jnp


def nearest(rays, centers):
  depth = jnp.full(rays.shape[1], 1e10)
  a = rays[0] ** 2 + rays[1] ** 2 + 1.0
  for center in centers:
    b = sum(rays[i] * center[i] for i in range(3))
    root = b * b - a * (jnp.sum(center**2) - 0.04)
    t = (b - jnp.sqrt(jnp.maximum(root, 0.0))) / a
    depth = jnp.minimum(depth, jnp.where((root > 0) & (t > 0), t, 1e10))
  return depth


lowered = jax.jit(nearest).lower(jnp.ones((3, 4096)), jnp.ones((40, 3)))
start = time.process_time()
lowered.compile()
print(f"{time.process_time() - start:.2f}")
PY
"$folder/venv/bin/python" -c 'import jax, jaxlib; print("jax", jax.__version__, "jaxlib", jaxlib.__version__)'
export JAX_PLATFORMS=cpu JAX_ENABLE_COMPILATION_CACHE=false
for emitters in true false; do
  seconds=$(for _ in 1 2 3; do
    XLA_FLAGS="--xla_cpu_use_fusion_emitters=$emitters" "$folder/venv/bin/python" "$folder/compile.py"
  done | sort -n | head -1)
  echo "xla_cpu_use_fusion_emitters=$emitters: $seconds CPU s to compile"
  echo "$seconds" > "$folder/$emitters"
done
"$folder/venv/bin/python" - "$(cat "$folder/true")" "$(cat "$folder/false")" <<'PY'
import sys

ratio = float(sys.argv[1]) / float(sys.argv[2])
print(f"ratio {ratio:.1f}")
sys.exit(ratio < 1.5)
PY

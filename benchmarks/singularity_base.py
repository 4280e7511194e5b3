"""The published size: conversion and one clip forward, in time and memory.

  python -m benchmarks.singularity_base --file=ckpt.pth

Checks that every key is used exactly once and comes back bit for bit. Memory is
the peak of the process so far, pages of the mapped file included.
"""

import resource
import time

import jax
import numpy as np
from absl import app, flags

from a2r.core import torch_file
from a2r.models import convert
from a2r.models.convert import keys
from benchmarks import results

_FILE = flags.DEFINE_string("file", None, "A published checkpoint.")
_CALLS = flags.DEFINE_integer("calls", 5, "Clips after the first.", 1)
_NUM_PARAMS = 216_320_963


def main(_):
  rows = []

  def clock(name, function):
    start = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - start
    rows.append(
      {"what": name, "seconds": round(seconds, 2), "peak_gb": _peak()}
    )
    print(rows[-1])
    return result

  state = clock("read", lambda: torch_file.load(_FILE.value)["model"])
  found = clock("convert", lambda: convert.from_state_dict(state))
  check(state, found)
  model, variables = found.model, jax.device_put(found.variables)
  config = model.config
  shape = (1, config.num_frames, config.image_size, config.image_size, 3)
  rng = np.random.default_rng(0)
  frames = rng.uniform(-1, 1, shape).astype(np.float32)
  ids = np.arange(100, 110, dtype=np.int32)[None]
  forward = jax.jit(model.apply)

  def run():
    output = forward(variables, frames, ids, np.ones_like(ids))
    return jax.block_until_ready(output)

  output = clock("first clip, with compilation", run)
  for _ in range(_CALLS.value):
    clock("clip", run)
  finite = all(np.isfinite(x).all() for x in jax.tree.leaves(output))
  results.write("singularity_base", rows, finite=finite, keys=len(state))


def check(state, found: convert.Conversion):
  """Raises an AssertionError unless all keys are used once and come back."""
  names = keys.names(found.model.config)
  buffers = keys.buffers(found.model.config)
  assert len(set(names.values())) == len(names)
  assert not names.keys() & buffers.keys()
  assert names.keys() | buffers.keys() == state.keys()
  params = found.variables["params"]
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert count == _NUM_PARAMS, count
  back = convert.to_state_dict(found.model.config, params)
  for key in names:
    np.testing.assert_array_equal(back[key], state[key], key)
  print(f"{len(state)} keys, {count:,} parameters, the way back is exact")


def _peak() -> float:
  """Peak memory of the process so far, in GB."""
  kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return round(kilobytes * 1024 / 1e9, 2)


if __name__ == "__main__":
  app.run(main)

"""Rates of the simulator: physics, renderer, clips, compilation.

  python -m benchmarks.sim [--batches=1,64,512] [--engines=c,mjx] [--seconds=3]

Prints a table and writes benchmarks/results/sim-<backend>.json.
"""

import json
import os
import pathlib
import platform
import time

import jax
import numpy as np
from absl import app, flags

from a2r import sim
from a2r.sim import c_engine, drawing, physics

_BATCHES = flags.DEFINE_list("batches", ["1", "64", "512"], "Batch sizes.")
_ENGINES = flags.DEFINE_list("engines", ["c", "mjx"], "Physics engines.")
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Least time per row.")
_STEPS = 20  # Control steps per rollout.
_FRAMES = 512  # Frames per call of the renderer.
_RESULTS = pathlib.Path(__file__).parent / "results"


def _rate(function, amount):
  """First call in seconds, and `amount` per second of the later ones."""
  start = time.perf_counter()
  jax.block_until_ready(function())
  first = time.perf_counter() - start
  calls, start = 0, time.perf_counter()
  while not calls or time.perf_counter() - start < _SECONDS.value:
    jax.block_until_ready(function())
    calls += 1
  return first, calls * amount / (time.perf_counter() - start)


def _physics_rows():
  model = physics.load("tabletop/train")
  for engine in _ENGINES.value:
    for batch in map(int, _BATCHES.value):
      size = (batch, _STEPS, physics.ACTION_SIZE)
      actions = np.random.default_rng(0).uniform(-1, 1, size)
      first, rate = _rate(
        lambda actions=actions, engine=engine: physics.rollout(
          model, actions, physics=engine
        ),
        batch * _STEPS,
      )
      yield f"physics {engine}, batch {batch}", "env steps/s", first, rate


def _drawing_rows():
  model = physics.load("tabletop/train")
  look = drawing.Look(model.variant, model.mj)
  qpos = np.tile(model.qpos, (_FRAMES, 1))
  for image_size in (64, 112):
    first, rate = _rate(
      lambda image_size=image_size: drawing.draw_frames(
        look, model.mj, qpos, image_size=image_size
      ),
      len(qpos),
    )
    yield f"frames of {image_size} px", "frames/s", first, rate
  first, rate = _rate(
    lambda: c_engine.geom_poses(model.mj, qpos, look.geom_ids), len(qpos)
  )
  yield "poses of all geoms", "states/s", first, rate


def _clip_rows():
  for source in ("expert", "random"):
    first, rate = _rate(
      lambda source=source: (
        sim.collect("tabletop/train", "close_drawer", source, 0, 64).frames
      ),
      64,
    )
    yield f"clips, {source}, 8 frames of 64 px", "clips/s", first, rate


def main(_):
  rows = []
  print(f"{'':34}{'first call':>12}{'rate':>12}")
  for make_rows in (_physics_rows, _drawing_rows, _clip_rows):
    for name, unit, first, rate in make_rows():
      print(f"{name:34}{first:>10.1f} s{rate:>12,.0f} {unit}", flush=True)
      rows.append(
        {"name": name, "unit": unit, "first_call_s": first, "rate": rate}
      )
  report = {
    "backend": jax.default_backend(),
    "device": jax.devices()[0].device_kind,
    "cores": os.cpu_count(),
    "load_average": os.getloadavg()[0],
    "python": platform.python_version(),
    "jax": jax.__version__,
    "rows": rows,
  }
  _RESULTS.mkdir(exist_ok=True)
  path = _RESULTS / f"sim-{jax.default_backend()}.json"
  path.write_text(json.dumps(report, indent=2) + "\n")
  print(f"written: {path}")


if __name__ == "__main__":
  app.run(main)

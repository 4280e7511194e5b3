"""Rates of the simulator beside C MuJoCo and its renderer, on this machine.

  python -m benchmarks.sim [--batches=1,16,64,256,1024,4096] [--seconds=3]

Env steps per second of `mujoco.rollout` on all cores, of our C engine around
it and of MJX; frames per second of `mujoco.Renderer` and of the ray caster;
whole episodes with and without pictures in one program; clips. The first call
of each row, compilation included, is told apart: with an empty cache
(JAX_ENABLE_COMPILATION_CACHE=false) it is what a compilation costs. Prints a
table and writes benchmarks/results/sim-<backend>.json.
"""

import functools
import os
import time

os.environ.setdefault("MUJOCO_GL", "egl")  # Read when mujoco is imported.

import jax
import mujoco
import numpy as np
from absl import app, flags
from mujoco import rollout as c_rollout

from a2r import sim
from a2r.core import compilation
from a2r.sim.tabletop import drawing, physics, scene
from benchmarks import results

_BATCHES = flags.DEFINE_list(
  "batches", ["1", "16", "64", "256", "1024", "4096"], "Batch sizes."
)
_ENGINES = flags.DEFINE_list("engines", ["c", "mjx"], "Physics engines.")
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Least time per row.")
_STEPS = 20  # Control steps per rollout.
_FRAMES = 512  # Frames per call of the renderer.
_LONGEST = 120.0  # Seconds: larger batches are left out after such a call.
_ENVIRONMENT = "tabletop/train"


def _rate(amount, function, *args, **kwargs):
  """First call in seconds, and `amount` per second of the later ones."""
  start = time.perf_counter()
  jax.block_until_ready(function(*args, **kwargs))
  first = time.perf_counter() - start
  calls, start = 0, time.perf_counter()
  while not calls or time.perf_counter() - start < _SECONDS.value:
    jax.block_until_ready(function(*args, **kwargs))
    calls += 1
  return first, calls * amount / (time.perf_counter() - start)


def _growing(name, function, make_inputs):
  """Rows of growing batches, until one takes too long."""
  for batch in map(int, _BATCHES.value):
    start = time.perf_counter()
    first, rate = _rate(batch * _STEPS, function, make_inputs(batch))
    yield f"{name}, batch {batch}", "env steps/s", first, rate
    if time.perf_counter() - start > _LONGEST:
      return


def _actions(batch):
  size = (batch, _STEPS, physics.ACTION_SIZE)
  return np.float32(np.random.default_rng(0).uniform(-1, 1, size))


def _mujoco_rows():
  """`mujoco.rollout` as it is: no control, no upright mug, no states."""
  model = physics.load(_ENVIRONMENT)
  threads = len(os.sched_getaffinity(0))
  data = [mujoco.MjData(model.mj) for _ in range(threads)]
  start = np.concatenate([[0.0], model.qpos, model.qvel])
  num_steps = _STEPS * scene.FRAME_SKIP

  with c_rollout.Rollout(nthread=threads) as pool:
    function = functools.partial(pool.rollout, model.mj, data, nstep=num_steps)
    yield from _growing(
      "mujoco.rollout", function, lambda batch: np.tile(start, (batch, 1))
    )


def _physics_rows():
  model = physics.load(_ENVIRONMENT)
  for engine in _ENGINES.value:
    function = functools.partial(physics.rollout, model, physics=engine)
    yield from _growing(f"physics {engine}", function, _actions)


def _policy(rng, obs):
  del obs
  return jax.random.uniform(rng, (physics.ACTION_SIZE,), minval=-1.0)


def _rollout_rows():
  """Whole episodes: policy, physics, reward; a picture per step, or none."""
  for engine in _ENGINES.value:
    for every in (0, 1):
      env = sim.make(_ENVIRONMENT, physics=engine)
      batch = 64 if jax.default_backend() == "cpu" else 4096
      first, rate = _rate(
        batch * _STEPS, sim.rollout, env, _policy, jax.random.key(0), batch,
        num_steps=_STEPS, pixels_every=every,
      )  # fmt: skip
      pixels = "64 px each step" if every else "no pictures"
      name = f"rollout {engine}, batch {batch}, {pixels}"
      yield name, "env steps/s", first, rate


def _drawing_rows():
  model = physics.load(_ENVIRONMENT)
  qpos = physics.rollout(model, _actions(32), physics="c").qpos
  qpos = np.resize(qpos[:, 1:], (_FRAMES, scene.NQ))
  for image_size, samples in ((64, 1), (64, 2), (112, 1), (224, 1)):
    first, rate = _rate(
      len(qpos), drawing.draw_frames, model, qpos,
      image_size=image_size, samples=samples,
    )  # fmt: skip
    smooth = f", {samples} x {samples} rays" if samples > 1 else ""
    yield f"frames of {image_size} px{smooth}", "frames/s", first, rate


def _render(renderer, data, shadows):
  renderer.update_scene(data, camera="camera")
  renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
  return renderer.render()


def _renderer_rows():
  model = physics.load(_ENVIRONMENT)
  data = mujoco.MjData(model.mj)
  data.qpos[:] = model.qpos
  mujoco.mj_forward(model.mj, data)
  for size in (64, 112, 224):
    for shadows in (True, False):
      with mujoco.Renderer(model.mj, size, size) as renderer:
        first, rate = _rate(1, _render, renderer, data, shadows)
      name = f"mujoco.Renderer, {size} px" + ("" if shadows else ", no shadow")
      yield name, "frames/s", first, rate


def _clip_rows():
  for source in ("expert", "random"):
    args = _ENVIRONMENT, "close_drawer", source, 0, 64
    first, rate = _rate(64, sim.collect, *args)
    yield f"clips, {source}, 8 frames of 64 px", "clips/s", first, rate


def main(_):
  if jax.config.jax_enable_compilation_cache:
    compilation.enable_cache()
  rows = []
  print(f"{'':44}{'first call':>12}{'rate':>12}")
  groups = [_mujoco_rows, _physics_rows, _rollout_rows, _drawing_rows]
  groups += [_renderer_rows, _clip_rows]
  for make_rows in groups:
    try:
      for name, unit, first, rate in make_rows():
        print(f"{name:44}{first:>10.2f} s{rate:>12,.0f} {unit}", flush=True)
        rows.append(
          {"name": name, "unit": unit, "first_call_s": first, "rate": rate}
        )
    except (ImportError, RuntimeError, mujoco.FatalError) as error:
      print(f"{make_rows.__name__}: no graphics library here: {error}")
  cache = bool(jax.config.jax_enable_compilation_cache)
  results.write("sim", rows, compilation_cache=cache, steps=_STEPS)


if __name__ == "__main__":
  app.run(main)

"""Plans and candidates per second, and the memory that they take.

  python -m benchmarks.planning [--physics=auto] [--seconds=5] [--rows=pixels]

Random shooting, CEM and MPPI in the simulator with a reward of the small size
(random weights: speed does not depend on them), one trial and many at once;
the same with the true state instead of pictures; thousands of candidates in one
call. The first call of a row, compilation included, is told apart. CPU seconds
are of all threads: on a machine that does other things they say more than the
rate. Prints a table and writes benchmarks/results/planning-<backend>.json.
"""

import pathlib
import resource
import time

import jax
import numpy as np
from absl import app, flags

from a2r.core import compilation
from a2r.models import adapt2reward as net
from a2r.models import scorer
from a2r.models.singularity import singularity
from a2r.planning import base, config, objectives, planner, simulation, timing
from a2r.sim.tabletop import drawing, episodes, physics, tasks
from benchmarks import results
from configs import backbones

_PHYSICS = flags.DEFINE_enum("physics", "auto", physics.PHYSICS, "Engine.")
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Least time per row.")
_ROWS = flags.DEFINE_string("rows", "", "Only rows with this in their name.")
_ENVIRONMENT = "tabletop/test3"
_MANY = 4096


def _rows():
  """Name, trials at once, objective, settings."""
  pixels, state = "pixels", "true state"
  for trials in (1, 40):
    for what in (state, pixels):
      yield (
        f"shooting, {what}, {trials} trials",
        trials,
        what,
        config.PlannerConfig(),
      )
  cem = config.PlannerConfig(method="cem", num_iterations=3)
  yield "CEM, 3 rounds, pixels, 1 trials", 1, pixels, cem
  mppi = config.PlannerConfig(method="mppi", num_iterations=3)
  yield "MPPI, 3 rounds, pixels, 1 trials", 1, pixels, mppi
  future = config.PlannerConfig(clip="future")
  yield "shooting, pixels of the future, 1 trials", 1, pixels, future
  for what in (state, pixels):
    settings = config.PlannerConfig(num_samples=_MANY)
    yield f"shooting, {_MANY} candidates, {what}, 1 trials", 1, what, settings


def _make_scorer() -> scorer.Scorer:
  """A reward of the small size with random weights."""
  config = singularity.Config(**backbones.small())
  model = net.Adapt2Reward(config, num_tasks=4)
  draw = np.random.default_rng(0)
  params = jax.tree.map(
    lambda x: 0.02 * draw.standard_normal(x.shape, np.float32),
    net.params_like(model),
  )
  text = jax.random.normal(jax.random.key(1), (len(tasks.TASKS), 128))
  return scorer.cosine("small", model, params, lambda texts: text[: len(texts)])


def _make_state(trials, settings, objective, image_size) -> base.PlanState:
  """Trials at their start."""
  start = jax.tree.map(np.asarray, physics.load(_ENVIRONMENT).start())
  states = np.asarray(episodes.low_dim_state(start))
  picture = drawing.draw_frames(
    physics.load(_ENVIRONMENT), start.qpos, image_size=image_size
  )
  taken = timing.num_taken(settings, objective.num_frames)

  def tile(x, *size):
    return np.tile(x, (trials, *size) + (1,) * np.ndim(x))

  return base.PlanState(
    sim=jax.tree.map(tile, start),
    states=tile(states, base.NUM_STATES),
    clip=tile(picture, taken),
    context=tile(picture, 0),
    past=np.zeros((trials, 0, physics.ACTION_SIZE), np.float32),
  )


def _make_call(trials, objective, settings, image_size):
  """A function of a number that plans once, for all trials."""
  dynamics = simulation.make_dynamics(
    _ENVIRONMENT, image_size=image_size, physics=_PHYSICS.value
  )
  plan_fn = planner.make_plan_fn(dynamics, objective, settings)
  state = _make_state(trials, settings, objective, image_size)
  times = timing.make(settings, objective.num_frames, 0)
  task = np.arange(trials, dtype=np.int32) % len(tasks.TARGETS)

  def call(number):
    rngs = jax.random.split(jax.random.key(number), trials)
    return jax.block_until_ready(plan_fn(rngs, state, times, task))

  return call


def _measure(call):
  """Seconds of the first call; per later one seconds and CPU seconds; bytes."""
  start = time.perf_counter()
  call(0)
  first = time.perf_counter() - start
  _forget_peak()
  calls, start, cpu = 0, time.perf_counter(), time.process_time()
  while not calls or time.perf_counter() - start < _SECONDS.value:
    calls += 1
    call(calls)
  seconds = (time.perf_counter() - start) / calls
  cpu = (time.process_time() - cpu) / calls
  return first, seconds, cpu, _peak()


def _forget_peak():
  """Lets Linux count this process's peak memory from now on."""
  path = pathlib.Path("/proc/self/clear_refs")
  if path.exists():
    path.write_text("5")


def _peak() -> int:
  """Most bytes in use: the device's, or this process's on a CPU."""
  stats = jax.devices()[0].memory_stats()
  if stats:
    return stats["peak_bytes_in_use"]
  status = pathlib.Path("/proc/self/status")
  for line in status.read_text().splitlines() if status.exists() else ():
    if line.startswith("VmHWM"):
      return int(line.split()[1]) * 1024
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(_):
  if jax.config.jax_enable_compilation_cache:
    compilation.enable_cache()
  model = _make_scorer()
  judges = {
    "pixels": objectives.from_scorer(model),
    "true state": objectives.ground_truth(_ENVIRONMENT),
  }
  rows = []
  titles = ("first call", "plans/s", "candidates/s", "CPU s/plan", "peak MiB")
  print(f"{'':48}" + "".join(f"{title:>14}" for title in titles))
  for name, trials, what, settings in _rows():
    if _ROWS.value not in name:
      continue
    call = _make_call(trials, judges[what], settings, model.image_size)
    first, seconds, cpu, peak = _measure(call)
    candidates = settings.num_samples * settings.num_iterations
    row = {
      "first_call_s": first,
      "plans_per_s": trials / seconds,
      "candidates_per_s": trials * candidates / seconds,
      "cpu_s_per_plan": cpu / trials,
      "peak_mib": peak / 2**20,
    }
    rows.append({"name": name, "trials": trials} | row)
    figures = "".join(f"{value:>14,.2f}" for value in row.values())
    print(f"{name:48}{figures}", flush=True)
  engine = physics.resolve(_PHYSICS.value)
  results.write("planning", rows, physics=engine, seconds=_SECONDS.value)


if __name__ == "__main__":
  app.run(main)

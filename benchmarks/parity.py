"""How far MJX and C MuJoCo part in episodes of random actions.

  python -m benchmarks.parity [--episodes=200]

Uniform random actions for 60 control steps in every environment: percentiles
of the distance after 20 and after 60 steps, and the share of episodes whose
outcome, in each task and in all seven, is the same. Written to
benchmarks/results/parity-<backend>.json.
"""

import jax
import numpy as np
from absl import app, flags

from a2r import sim
from a2r.sim.tabletop import physics, tasks
from benchmarks import results

_EPISODES = flags.DEFINE_integer("episodes", 200, "Per environment.", 1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the actions.")
_PERCENTILES = (50, 75, 90, 95, 99, 100)
_PARTS = {"hand": slice(0, 3), "mug": slice(3, 6), "drawer": slice(10, 11)}
_PARTS |= {"faucet": slice(12, 13)}


def main(_):
  rng = np.random.default_rng(_SEED.value)
  size = (_EPISODES.value, physics.NUM_STEPS, physics.ACTION_SIZE)
  actions = rng.uniform(physics.ACTION_LOW, physics.ACTION_HIGH, size)
  rows = []
  for name in sim.ENVIRONMENTS:
    model = physics.load(name)
    logs = [
      np.asarray(physics.rollout(model, actions, physics=engine).states)
      for engine in ("c", "mjx")
    ]
    rows += _errors(name, *logs)
    rows.append(_agreement(name, *logs))
  results.write("parity", rows, episodes=_EPISODES.value, seed=_SEED.value)


def _errors(name, ours, theirs):
  """Rows of percentiles, in meters and radians."""
  for part, columns in _PARTS.items():
    for step in (20, physics.NUM_STEPS):
      offset = (ours - theirs)[:, step, columns]
      error = np.linalg.norm(offset, axis=-1)
      shares = {f"p{p}": float(np.percentile(error, p)) for p in _PERCENTILES}
      texts = [f"{key} {share:.1e}" for key, share in shares.items()]
      print(f"{name:15} {part:7} step {step}:", *texts, flush=True)
      yield {"environment": name, "part": part, "step": step} | shares


def _agreement(name, ours, theirs):
  """Share of episodes with the same outcome, per task and in all."""
  judge = jax.jit(jax.vmap(tasks.outcomes))
  same = np.asarray(judge(ours)) == np.asarray(judge(theirs))
  shares = dict(zip(tasks.TASKS, same.mean(axis=0).tolist(), strict=True))
  shares["all seven"] = float(same.all(axis=1).mean())
  print(
    f"{name:15} same outcome:",
    *(f"{task} {share:.3f}" for task, share in shares.items()),
    flush=True,
  )
  return {"environment": name, "agreement": shares}


if __name__ == "__main__":
  app.run(main)

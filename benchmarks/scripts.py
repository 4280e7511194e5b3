"""How often each scripted source succeeds, per task and environment.

  python -m benchmarks.scripts [--episodes=50]

Prints the share of successes by the success function.
"""

import numpy as np
from absl import app, flags

from a2r import sim
from a2r.sim import physics, policies, tasks, variants

_EPISODES = flags.DEFINE_integer("episodes", 50, "Episodes per cell.", 1)


def main(_):
  width = max(map(len, sim.TASKS))
  names = [name.removeprefix("tabletop/") for name in sim.ENVIRONMENTS]
  for source in policies.SOURCES:
    print(f"{source:{width}}", *(f"{name:>7}" for name in names))
    for task in sim.TASKS:
      shares = [_share(name, task, source) for name in sim.ENVIRONMENTS]
      print(f"{task:{width}}", *(f"{share:7.2f}" for share in shares))


def _share(environment, task, source):
  """Share of successes."""
  rngs = np.random.default_rng(0).spawn(_EPISODES.value)
  variant = variants.get(environment)
  actions = [policies.sample(rng, source, task, variant) for rng in rngs]
  log = physics.rollout(physics.load(environment), np.stack(actions)).log
  return np.mean([tasks.get(task).success(row) for row in np.asarray(log)])


if __name__ == "__main__":
  app.run(main)

"""How often each source succeeds, per task and environment.

  python -m benchmarks.scripts [--episodes=200] [--sources=expert,noise]

Prints shares of successes with 95 % Wilson intervals in percent and writes them
to benchmarks/results/scripts-<backend>.json. Each cell has draws of its own,
also in the three environments that differ in looks alone.
"""

import jax
import numpy as np
from absl import app, flags

from a2r import sim
from a2r.evaluation import intervals
from a2r.sim.behavior import policies
from a2r.sim.tabletop import physics, tasks
from benchmarks import results

_EPISODES = flags.DEFINE_integer("episodes", 200, "Episodes per cell.", 1)
_SOURCES = flags.DEFINE_list("sources", list(policies.SOURCES), "Who acts.")
_SEED = 0


def _count(environment, source, task):
  """Successes by the success function among the benchmark's episodes."""
  model = physics.load(environment)
  cell = list(sim.ENVIRONMENTS).index(environment), list(sim.TASKS).index(task)
  seeds = [[_SEED, *cell, number] for number in range(_EPISODES.value)]
  actions = policies.sample_batch(model, source, task, seeds)
  states = physics.rollout(model, actions, physics="c").states
  return int(jax.vmap(tasks.get(task).success)(np.asarray(states)).sum())


def _rows():
  """Prints the table; one row per source, task and environment."""
  rows = []
  width = max(map(len, sim.TASKS))
  places = [name.removeprefix("tabletop/") for name in sim.ENVIRONMENTS]
  for source in _SOURCES.value:
    print(f"{source:{width}}", *(f"{place:>13}" for place in places))
    for task in sim.TASKS:
      line = []
      for environment in sim.ENVIRONMENTS:
        count = _count(environment, source, task)
        low, high = intervals.wilson(count, _EPISODES.value)
        share = count / _EPISODES.value
        line.append(f"{100 * share:4.0f} ({100 * low:2.0f}-{100 * high:3.0f})")
        rows.append(
          {
            "source": source,
            "task": task,
            "environment": environment,
            "successes": count,
            "share": share,
            "interval": [low, high],
          }
        )
      print(f"{task:{width}}", *(f"{cell:>13}" for cell in line), flush=True)
  return rows


def main(_):
  for source in _SOURCES.value:
    policies.source_index(source)
  results.write("scripts", _rows(), episodes=_EPISODES.value)


if __name__ == "__main__":
  app.run(main)

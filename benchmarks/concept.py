"""How often Concept2Robot tasks are done: optimized, by chance, by nothing.

  python -m benchmarks.concept --episodes=100 --out=concept.csv

For each task: the share of successes, with Wilson's 95 % intervals, of motions
that the cross-entropy method found on the reward made by hand, of uniformly
random goals, of near misses, and of doing nothing. --sheet=FILE.png has the
start, the middle and the end of the first success of each task.
"""

import csv
import time

import jax
import numpy as np
from absl import flags
from PIL import Image

from a2r.evaluation import intervals
from a2r.sim.concept import env as env_lib
from a2r.sim.concept import policies
from a2r.sim.concept import tasks as tasks_lib
from launch import app

_TASKS = flags.DEFINE_list("tasks", [], "Numbers of tasks; all if none.")
_EPISODES = flags.DEFINE_integer("episodes", 100, "Episodes of each.")
_SEED = flags.DEFINE_integer("seed", 0, "Of all randomness.")
_OUT = flags.DEFINE_string("out", "", "A CSV file; the terminal without.")
_SHEET = flags.DEFINE_string(
  "sheet", "", "A picture of a success of each task."
)
_SOURCES = ("expert", "near_miss", "random", "nothing")
_BATCH = 20


def main():
  """Measures and prints a row for each task, and at last the sheet."""
  rows, strips = [], []
  for number in _TASKS.value or tasks_lib.ALL_TASKS:
    row, strip = _measure(tasks_lib.get(str(number)))
    print(*row.values(), sep="\t", flush=True)
    rows.append(row)
    strips.append(strip)
    if _OUT.value:
      with open(_OUT.value, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerows(rows)
    if _SHEET.value:
      _write_sheet(strips)


def _measure(task):
  """A task's row, and three pictures of a success (of a try, without any)."""
  env = env_lib.make(str(task.number), reward="manual", physics="c")
  started, done = time.monotonic(), {source: [] for source in _SOURCES}
  strip = None
  for first in range(0, _EPISODES.value, _BATCH):
    numbers = range(first, min(first + _BATCH, _EPISODES.value))
    seeds = [[_SEED.value, task.number, n] for n in numbers]
    start = policies.sample_start(task.scene, seeds)
    rngs = [np.random.default_rng([*seed, 1]) for seed in seeds]
    expert = policies.optimize(env, start, rngs)
    actions = {
      "expert": expert,
      "near_miss": policies.spoil(env, start, expert, rngs),
      "random": policies.random_actions(rngs),
      "nothing": np.zeros_like(expert),
    }
    played = {name: env.play(start, x) for name, x in actions.items()}
    for source in _SOURCES:
      done[source] += played[source].success.tolist()
    if strip is None:
      strip = _draw(env, start, expert, played["expert"])
  row = {"number": task.number, "template": task.template}
  for source, successes in done.items():
    low, high = intervals.wilson(sum(successes), len(successes))
    share = sum(successes) / len(successes)
    row[source] = f"{share:.2f} [{low:.2f}, {high:.2f}]"
  return row | {"seconds": round(time.monotonic() - started)}, strip


def _draw(env, start, actions, played):
  row = int(np.argmax(played.success))
  one = jax.tree.map(lambda x: x[row : row + 1], start)
  steps = np.array([0, played.length[row] // 2, played.length[row]])
  frames = env.play(one, actions[row : row + 1], frames_at=steps).frames[0]
  return np.concatenate(frames, axis=1)


def _write_sheet(strips, columns=3):
  blank = [np.zeros_like(strips[0])] * (-len(strips) % columns)
  tiles = [*strips, *blank]
  rows = [
    np.concatenate(tiles[i : i + columns], axis=1)
    for i in range(0, len(tiles), columns)
  ]
  Image.fromarray(np.concatenate(rows)).save(_SHEET.value)


if __name__ == "__main__":
  app.run(main)

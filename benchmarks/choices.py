"""How often would the best of 100 plays by a reward be a success?

  python -m benchmarks.choices --runs=runs/envgen,runs/other \\
    [--environment=tabletop/train] [--clips=2048]

Planning trials say it best, but each is one yes or no and takes seconds. Here
the clips of a planner's kind (uniform actions for 20, 40 or 60 steps, then
rest) are made once a call; every reward ranks the same ones, and the success of
the best of 100 of them is counted without drawing (`play_clips.best_of`).
Prints, per run and target task, that share and the AUROC among these clips; an
Adapt2Reward run has a row for each form of the reward.
"""

import numpy as np
from absl import app, flags, logging

from a2r.core import compilation
from a2r.evaluation import metrics
from a2r.sim.tabletop import tasks
from benchmarks import play_clips

_RUNS = flags.DEFINE_list("runs", None, "Run folders.", required=True)
_ENVIRONMENT = flags.DEFINE_string("environment", "tabletop/train", "Its name.")
_CLIPS = flags.DEFINE_integer("clips", 2048, "Clips to rank.")
_COUNT = flags.DEFINE_integer("count", 100, "Clips that a plan chooses from.")


def main(_):
  logging.set_verbosity(logging.ERROR)
  compilation.enable_cache()
  frames, success = play_clips.make(_ENVIRONMENT.value, _CLIPS.value)
  names = list(success)
  print(
    f"{len(frames)} clips of {_ENVIRONMENT.value}; in % and AUROC, mean last"
  )
  print("; ".join(f"{t} {success[t].mean():.0%}" for t in names), "by chance")
  texts = [tasks.get(task).instruction for task in names]
  for run in _RUNS.value:
    for row, values in play_clips.scores(run, frames, texts).items():
      columns = list(zip(values.T, success.values(), strict=True))
      best = [play_clips.best_of(s, y, _COUNT.value) for s, y in columns]
      order = [metrics.auroc(s, y) for s, y in columns]
      cells = [f"{100 * x:4.0f}" for x in (*best, np.mean(best))]
      cells += ["  "] + [f"{x:5.2f}" for x in (*order, np.mean(order))]
      print(f"{row:60}", *cells, flush=True)


if __name__ == "__main__":
  app.run(main)

"""Do a reward's features hold what a planner asks, and in other environments?

  python -m benchmarks.probe --runs=runs/envgen,runs/other [--clips=1536]

Per target task a linear probe on the features of clips of a planner's kind
(those of benchmarks/choices.py) tells success from failure. It is fitted to
half of the clips of an environment and judged on the other half: of the same
environment, and of every other one where it was fitted in the first. Prints how
often the best of 100 clips by the probe is a success, and the AUROC.

Where the probe of an environment's own is good and the one from elsewhere is
not, features hold the answer but shift with the environment. DVD's run has the
features of the backbone that it was trained from.
"""

import jax
import numpy as np
from absl import app, flags, logging

from a2r.core import compilation
from a2r.evaluation import metrics
from a2r.learners import registry
from a2r.models import scorer
from a2r.sim.tabletop import variants
from benchmarks import play_clips

_RUNS = flags.DEFINE_list("runs", None, "Run folders.", required=True)
_COUNT = 100
_CLIPS = flags.DEFINE_integer(
  "clips", 1536, "Of each environment.", lower_bound=2 * _COUNT
)


def _judge(fitted, judged):
  """Best-of-100 rates and AUROCs `[2, tasks]`; both are (features, success)."""
  rows = []
  for task, labels in fitted[1].items():
    half = len(labels) // 2
    probe = play_clips.fit_probe(fitted[0][:half], labels[:half])
    scores, outcomes = probe(judged[0][half:]), judged[1][task][half:]
    best = 100 * play_clips.best_of(scores, outcomes, _COUNT)
    rows.append((best, metrics.auroc(scores, outcomes)))
  return np.transpose(rows)


def main(_):
  logging.set_verbosity(logging.ERROR)
  compilation.enable_cache()
  places = variants.ENVIRONMENTS
  clips = {e: play_clips.make(e, _CLIPS.value) for e in places}
  print("run, fitted in, judged in; best of 100 in %, AUROC; mean last")
  for run in _RUNS.value:
    judge = registry.load_scorer(run)
    sets = {
      place: (jax.device_get(scorer.encode(judge, frames)), success)
      for place, (frames, success) in clips.items()
    }
    for place in places:
      for source in dict.fromkeys((places[0], place)):
        best, auroc = _judge(sets[source], sets[place])
        cells = [f"{x:4.0f}" for x in (*best, best.mean())]
        cells += ["  "] + [f"{x:5.2f}" for x in (*auroc, auroc.mean())]
        print(f"{run:40} {source:15} {place:15}", *cells, flush=True)


if __name__ == "__main__":
  app.run(main)

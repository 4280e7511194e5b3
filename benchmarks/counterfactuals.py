"""Does a reward look at the arm or at what it acts on?

  python -m benchmarks.counterfactuals --runs=runs/envgen,runs/other \\
    [--environments=tabletop/train,tabletop/test2] [--clips=48]

Successes of each task's script are drawn as they were, and again with all but
the arm standing still: the same motion, and nothing came of it. No physics
makes such clips; the object alone tells the two apart. Prints, per run,
environment and target task, how often the success has the higher score of the
two, in %: 100 where the reward goes by the object, 50 where it is blind to it.
An Adapt2Reward run has a row for each form of the reward.
"""

import numpy as np
from absl import app, flags, logging

from a2r import sim
from a2r.core import compilation, images
from a2r.sim.behavior import clips
from a2r.sim.tabletop import drawing, physics, scene, tasks
from benchmarks import play_clips

_RUNS = flags.DEFINE_list("runs", None, "Run folders.", required=True)
_ENVIRONMENTS = flags.DEFINE_list("environments", ["all"], "Their names.")
_CLIPS = flags.DEFINE_integer("clips", 48, "Of each task.", 1)

_FRAMES, _SIZE = 8, 64


def make(environment: str, task: str, number: int) -> np.ndarray:
  """Returns successes and their counterparts, uint8 `[2, N, T, S, S, 3]`."""
  played = clips.collect(
    environment, task, "expert", 0, number,
    num_frames=_FRAMES, image_size=_SIZE, want=True,
  )  # fmt: skip
  steps = images.frame_indices(played.qpos.shape[1], _FRAMES, "ends")
  still = drawing.draw_frames(
    physics.load(environment),
    with_still_objects(played.qpos[:, steps]),
    image_size=_SIZE,
  )
  return np.stack([played.frames, still])


def with_still_objects(path: np.ndarray) -> np.ndarray:
  """Returns joint positions `[N, T, nq]` in which the arm alone moves."""
  path = path.copy()
  path[:, :, scene.MUG.start :] = path[:, :1, scene.MUG.start :]
  return path


def main(_):
  """Prints all rows."""
  logging.set_verbosity(logging.ERROR)
  compilation.enable_cache()
  names = _ENVIRONMENTS.value
  for environment in sim.ENVIRONMENTS if names == ["all"] else names:
    print(f"{environment}: {', '.join(tasks.TARGETS)}; mean")
    pairs = {t: make(environment, t, _CLIPS.value) for t in tasks.TARGETS}
    for run in _RUNS.value:
      shares = {}
      for task, frames in pairs.items():
        texts = [tasks.get(task).instruction]
        flat = frames.reshape(-1, *frames.shape[2:])
        for row, values in play_clips.scores(run, flat, texts).items():
          real, still = values[:, 0].reshape(2, -1)
          shares.setdefault(row, []).append(100 * np.mean(real > still))
      for row, values in shares.items():
        cells = [f"{x:4.0f}" for x in (*values, np.mean(values))]
        print(f"{row:60}", *cells, flush=True)


if __name__ == "__main__":
  app.run(main)

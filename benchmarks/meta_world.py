"""Does the reward hold in Meta-World: another camera, another task, other text?

  python -m benchmarks.meta_world --clips=meta_world_clips --seeds=0,1,2
  python -m benchmarks.meta_world --clips=meta_world_clips \\
    --variants="warped:--config.train.warp=0.2"

`benchmarks/meta_world_clips.py` makes the clips. Per seed a run of
configs/envgen.py learns from ten clips of each of ten tasks, six successes and
four failures, from the first camera; what is told is of unseen clips from all
three. Beside it stand the shipped backbone as it is (the cosine of clip and
text, and how much nearer the clip is to it than to failing at it), logistic
regressions on its frozen features and on 16x16 pixel differences (a task's ten
clips each; no text), a run from scratch, and --variants, "NAME:FLAGS" of
launch.train.

Figures, each a mean over tasks, by camera: `own`, the AUROC of the tasks that
were adapted to; `other`, that of those that were not; `opposite`, the AUROC
that the opposite task's instruction gives, of successes against failures (0.5:
the text counts); `pair`, how often a success gets more for its own instruction
than for the opposite; `choice`, how often it gets more than for any other
task's. Intervals are of clips, resampled within tasks (95 %), of the mean over
seeds. Runs stay under --out, so that what the same command trained is not
trained again.
"""

import csv
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import imageio.v3 as iio
import numpy as np
from absl import app, flags, logging
from scipy import optimize

from a2r import reward
from a2r.core import compilation
from a2r.core import text as text_lib
from a2r.evaluation import report
from a2r.models import scorer as scorer_lib

_CLIPS = flags.DEFINE_string("clips", None, "Folder of clips.", required=True)
_OUT = flags.DEFINE_string("out", "runs/meta_world", "Folder of the runs.")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Of clips and training.")
_STEPS = flags.DEFINE_integer("steps", 100, "Training steps.")
_VARIANTS = flags.DEFINE_multi_string("variants", [], "NAME:FLAGS of a run.")

CAMERAS = ("trained", "same_side", "far_side")
OPPOSITES = {
  "door-close": "door-open",
  "drawer-close": "drawer-open",
  "faucet-close": "faucet-open",
}
OPPOSITES |= {other: task for task, other in OPPOSITES.items()}
ADAPTED = {
  "button-press": "press the button",
  "coffee-push": "push the mug",
  "door-close": "close the door",
  "door-open": "open the door",
  "drawer-close": "close the drawer",
  "drawer-open": "open the drawer",
  "faucet-close": "close the faucet",
  "faucet-open": "open the faucet",
  "plate-slide": "slide the plate into the goal",
  "push": "push the puck to the goal",
}
OTHERS = {
  "coffee-pull": "pull the mug",
  "handle-press": "press the handle down",
  "window-close": "close the window",
  "window-open": "open the window",
}
TASKS = ADAPTED | OTHERS
_MOST_SEEDS = 3
# Numbers of clips, by source: those of a seed's ten, and the unseen ones.
_TEN = {"expert": 6, "frozen": 1, "pushed": 1, "random": 1, "still": 1}
_UNSEEN = {"expert": 10, "frozen": 6, "pushed": 6, "random": 3, "still": 1}
_RESAMPLES = 300


class Clips(NamedTuple):
  """Clips of some tasks."""

  frames: np.ndarray  # uint8 `[N, 3, T, H, W, 3]`.
  success: np.ndarray  # bool `[N]`.
  task: np.ndarray  # str `[N]`.
  name: np.ndarray  # str `[N]`.


def read(folder: pathlib.Path, tasks, seed: int | None) -> Clips:
  """Reads the ten clips of each task that a seed learns from, or the unseen."""
  found = []
  for task in tasks:
    for source, ten in _TEN.items():
      first, count = (seed or 0) * ten, ten
      if seed is None:
        first, count = _MOST_SEEDS * ten, _UNSEEN[source]
      for number in range(first, first + count):
        with np.load(folder / task / f"{source}-{number}.npz") as stored:
          clip = stored["frames"], bool(stored["success"])
        found.append((*clip, task, f"{task}-{source}-{number}"))
  return Clips(*(np.array(column) for column in zip(*found, strict=True)))


def measure(clips: Clips, scores: np.ndarray) -> dict[str, np.ndarray]:
  """Returns each figure `[3]` of a reward, by camera.

  Args:
    clips: of all tasks.
    scores: `[N, 3, L]`, by camera and the texts of `TASKS`.
  """
  columns = {task: row for row, task in enumerate(TASKS)}
  rows = {task: np.flatnonzero(clips.task == task) for task in TASKS}

  def auroc(task, text):
    of_text, success = scores[rows[task], :, columns[text]], clips.success
    done, failed = (of_text[success[rows[task]] == x] for x in (True, False))
    return (1 + np.sign(done[:, None] - failed).mean(axis=(0, 1))) / 2

  def higher(task, texts):
    done = scores[rows[task][clips.success[rows[task]]]]
    others = done[:, :, [columns[text] for text in texts if text != task]]
    own = done[:, :, columns[task], None]
    return (own > others).all(axis=-1).mean(axis=0)

  figures = {
    "own": [auroc(task, task) for task in ADAPTED],
    "other": [auroc(task, task) for task in OTHERS],
    "opposite": [auroc(task, text) for task, text in OPPOSITES.items()],
    "pair": [higher(task, [text]) for task, text in OPPOSITES.items()],
    "choice": [higher(task, ADAPTED) for task in ADAPTED],
  }
  return {name: np.mean(values, axis=0) for name, values in figures.items()}


def interval(
  clips: Clips, scores: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
  """Returns 95 % intervals `[2, 3]` of the means over seeds.

  Clips are drawn anew within each task and outcome.
  """
  rng, drawn = np.random.default_rng(0), []
  names, group = np.unique(
    np.char.add(clips.task, clips.success.astype(str)), return_inverse=True
  )
  parts = [np.flatnonzero(group == number) for number in range(len(names))]
  for _ in range(_RESAMPLES):
    rows = np.concatenate([rng.choice(part, len(part)) for part in parts])
    some = clips._replace(task=clips.task[rows], success=clips.success[rows])
    figures = [measure(some, one[rows]) for one in scores]
    drawn.append({k: np.mean([x[k] for x in figures], 0) for k in figures[0]})
  return {
    name: np.percentile([x[name] for x in drawn], (2.5, 97.5), axis=0)
    for name in drawn[0]
  }


def pixel_differences(frames: np.ndarray) -> np.ndarray:
  """Returns how the pictures `[N, T, H, W, 3]` changed in 16x16, `[N, 768]`."""
  change = frames[:, -1].astype(np.float32) - frames[:, 0]
  side = change.shape[1] // 16
  blocks = change.reshape(len(change), 16, side, 16, side, 3)
  return blocks.mean(axis=(2, 4)).reshape(len(change), -1) / 255


def probe(ten: Clips, known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
  """Scores clips by a logistic regression for each task that was adapted to.

  Args:
    ten: what is learned from.
    known: their features `[M, E]`, of the first camera.
    unseen: features `[N, 3, E]`.

  Returns:
    `[N, 3, L]`; tasks that were not adapted to have zeros.
  """
  mean, std = known.mean(axis=0), known.std() + 1e-6
  known, unseen = (known - mean) / std, (unseen - mean) / std
  scores = np.zeros((*unseen.shape[:2], len(TASKS)))
  for column, task in enumerate(TASKS):
    rows = ten.task == task
    if rows.any():
      weight = _fit(known[rows], np.where(ten.success[rows], 1.0, -1.0))
      scores[..., column] = unseen @ weight[1:] + weight[0]
  return scores


def _fit(features, signs, decay=1.0):
  """Weights of a logistic regression with a decay, the intercept first."""
  features = np.pad(features, ((0, 0), (1, 0)), constant_values=1.0)

  def loss(weight):
    margin = signs * (features @ weight)
    slope = -signs / (1 + np.exp(margin))
    cost = np.logaddexp(0, -margin).sum() + decay / 2 * weight[1:] @ weight[1:]
    return cost, slope @ features + decay * np.r_[0, weight[1:]]

  start = np.zeros(features.shape[1])
  return optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x


def _train(seed, ten, name, options):
  """Returns the folder of a run that learned from ten clips a task."""
  folder = pathlib.Path(_OUT.value, f"seed-{seed}")
  clips, run = folder / "clips", folder / name
  manifest = clips / "clips.csv"
  if not manifest.exists():
    clips.mkdir(parents=True, exist_ok=True)
    lines = ["video,instruction,success"]
    for frames, success, task, label in zip(*ten, strict=True):
      file = f"{label}.mp4"
      iio.imwrite(
        clips / file, frames[0], plugin="pyav", codec="libx264", fps=8
      )
      lines.append(f"{file},{TASKS[task]},{success}")
    manifest.write_text("\n".join(lines) + "\n")
  command = [
    *(sys.executable, "-m", "launch.train", "--config=configs/envgen.py"),
    f"--workdir={run}",
    f"--config.seed={seed}",
    f"--config.train.num_steps={_STEPS.value}",
    "--config.data.robot.source=folder",
    f"--config.data.robot.path={manifest}",
    "--config.data.validation.share=0",
    *options,
  ]
  path, line = folder / f"{name}.log", f"{shlex.join(command)}\n"
  done = (run / report.JSON_FILE).exists() and path.exists()
  if not done or not path.read_text("utf-8").startswith(line):
    with path.open("w", encoding="utf-8") as log:
      log.write(line)
      log.flush()
      subprocess.run(command, stdout=log, stderr=log, check=True)
  return run


def _by_camera(function, frames):
  """`[N, 3, ...]` of what `function` makes of the clips of each camera."""
  cameras = range(len(CAMERAS))
  return np.stack([function(frames[:, camera]) for camera in cameras], axis=1)


def _form_scores(model, frames, texts):
  """Per form of a reward `[N, 3, L]`."""
  cameras = range(len(CAMERAS))
  found = [model.form_scores(frames[:, camera], texts) for camera in cameras]
  return {k: np.stack([x[k] for x in found], axis=1) for k in found[0]}


def main(_):
  """Measures all rows, and prints each."""
  logging.set_verbosity(logging.ERROR)
  compilation.enable_cache()
  folder = pathlib.Path(_CLIPS.value)
  unseen, texts = read(folder, TASKS, None), list(TASKS.values())
  variants = {"adapted": ""}
  variants |= dict(value.split(":", 1) for value in _VARIANTS.value)
  variants["from_scratch"] = "--config.model.init=scratch"
  shipped, scores = reward.load("small_backbone").scorer, {}

  def encode(frames):
    return scorer_lib.encode(shipped, frames)

  features = _by_camera(encode, unseen.frames)
  pixels = _by_camera(pixel_differences, unseen.frames)

  def cosines(texts):
    def score(rows):
      return scorer_lib.score_features(shipped, rows, texts)

    return _by_camera(score, features)

  own, failing = cosines(texts), cosines([text_lib.failing(x) for x in texts])
  scores["zero_shot"], scores["zero_shot, failing"] = [own], [own - failing]
  for seed in map(int, _SEEDS.value):
    ten = read(folder, ADAPTED, seed)
    first = ten.frames[:, 0]
    for name, known, other in (
      ("frozen_features", encode(first), features),
      ("pixel_differences", pixel_differences(first), pixels),
    ):
      scores.setdefault(name, []).append(probe(ten, known, other))
  _write(unseen, scores)
  for name, options in variants.items():
    for seed in map(int, _SEEDS.value):
      ten = read(folder, ADAPTED, seed)
      model = reward.load(_train(seed, ten, name, shlex.split(options)))
      for form, values in _form_scores(model, unseen.frames, texts).items():
        scores.setdefault(f"{name}, {form}", []).append(values)
    _write(
      unseen, {k: x for k, x in scores.items() if k.startswith(name + ",")}
    )


def _write(unseen, scores):
  """Prints rows, and adds them to a table under --out."""
  path = pathlib.Path(_OUT.value, "table.csv")
  path.parent.mkdir(parents=True, exist_ok=True)
  is_new = not path.exists()
  with path.open("a", newline="", encoding="utf-8") as stream:
    writer = csv.writer(stream)
    if is_new:
      writer.writerow(["reward", "figure", "camera", "mean", "low", "high"])
    for name, seeds in scores.items():
      figures = [measure(unseen, one) for one in seeds]
      limits = interval(unseen, seeds)
      print(f"{name} ({len(seeds)} seeds)")
      for figure, (low, high) in limits.items():
        each = np.array([x[figure] for x in figures])
        mean, cells = each.mean(axis=0), []
        for row, camera in enumerate(CAMERAS):
          value = mean[row], low[row], high[row]
          writer.writerow([name, figure, camera, *np.round(value, 4)])
          seeds_of = " ".join(f"{x:.2f}" for x in each[:, row])
          cells.append(
            f"{mean[row]:.2f} [{low[row]:.2f}, {high[row]:.2f}] ({seeds_of})"
          )
        print(f"  {figure:10}", *cells, sep="   ", flush=True)


if __name__ == "__main__":
  app.run(main)

"""Rewards over time: of clips up to several points in time.

Letters: N clips, T frames, L instructions, P points in time, M clips with a
curve.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from a2r.core import batching, images
from a2r.evaluation.labeled import LabeledClips

# Prefixes in memory at once, a multiple of what is scored at once.
_CHUNK = 240
_NUM_TIMES, _MAX_PREFIXES = 8, 1000


@dataclasses.dataclass(frozen=True)
class Example:
  """A success and a near-miss of one environment, with rewards over time.

  Attributes:
    environment: where.
    instruction: the text both clips are scored with.
    kinds: a name per clip: ('success', 'near-miss'), or 'failure' for the
      second where no clip is known as a near-miss.
    frames: per clip `[T, H, W, 3]` uint8.
    curves: per clip `[T]`, the reward of the clip up to each frame.
  """

  environment: str
  instruction: str
  kinds: tuple[str, ...]
  frames: tuple[np.ndarray, ...]
  curves: tuple[np.ndarray, ...]


class Curves(NamedTuple):
  """Rewards of some clips up to several points in time.

  Attributes:
    index: `[M]` int, which clips.
    frames: `[P]` int, the last frame of each prefix.
    values: `[M, P]` rewards for the clip's own instruction.
  """

  index: np.ndarray
  frames: np.ndarray
  values: np.ndarray


def prefixes(clip: np.ndarray) -> np.ndarray:
  """Returns the clip up to each of its frames, the rest filled with that frame.

  Prefix t is frames 0..t followed by frame t held still until the clip's own
  length: what a camera sees if the robot stops at t. Speed stays that of the
  training clips, which stretching the prefix would change.

  Args:
    clip: `[T, H, W, 3]`.

  Returns:
    `[T, T, H, W, 3]`, the last of which is the clip itself.
  """
  steps = np.arange(len(clip))
  return clip[np.minimum(steps[None], steps[:, None])]


def reward_curve(model, form: str, clip: np.ndarray, instruction: str):
  """Returns `[T]` rewards of the clip up to each frame (see `prefixes`)."""
  scores = model.form_scores(prefixes(clip), [instruction])
  return np.asarray(scores[form])[:, 0]


def typical_clips(
  model,
  form: str,
  scores: np.ndarray,
  clips: LabeledClips,
  instructions: Sequence[str],
) -> list[Example]:
  """Returns a success and a near-miss per environment, tasks taking turns.

  Typical is the clip whose reward is the median of its kind (the lower one of
  two), so the picture shows neither the best nor the worst case. Environments
  in which no task has both kinds are left out.

  Args:
    model: see `evaluate.evaluate_run`.
    form: form of the reward.
    scores: `[N, L]` rewards in that form.
    clips: N clips.
    instructions: L texts.
  """
  own = clips.own_scores(scores, instructions)
  missed = clips.near_misses_or_failures
  groups = {}
  for environment, _, at in clips.groups():
    groups.setdefault(environment, []).append(at)
  result = []
  for turn, (environment, tasks) in enumerate(groups.items()):
    turn %= len(tasks)
    for at in tasks[turn:] + tasks[:turn]:
      kinds = at[clips.success[at]], at[missed[at]]
      if all(map(len, kinds)):
        break
    else:
      continue
    text = clips.instruction[at[0]]
    medians = [
      kind[np.argsort(own[kind], kind="stable")[(len(kind) - 1) // 2]]
      for kind in kinds
    ]
    result.append(
      Example(
        environment=environment,
        instruction=text,
        kinds=("success", "near-miss" if clips.near_miss.any() else "failure"),
        frames=tuple(clips.frames[i] for i in medians),
        curves=tuple(
          reward_curve(model, form, clips.frames[i], text) for i in medians
        ),
      )
    )
  return result


def show_clips(
  model, form: str, clips: LabeledClips, rows: Sequence[int]
) -> list[Example]:
  """Returns single clips with their rewards over time.

  Args:
    model: see `evaluate.evaluate_run`.
    form: form of the reward.
    clips: N clips.
    rows: which of them.
  """
  examples = []
  for row in rows:
    text = clips.instruction[row]
    name = f"{clips.environment[row]} {clips.name[row]}".strip()
    examples.append(
      Example(
        environment=name,
        instruction=text,
        kinds=("success" if clips.success[row] else "failure",),
        frames=(clips.frames[row],),
        curves=(reward_curve(model, form, clips.frames[row], text),),
      )
    )
  return examples


def sample_curves(
  score_fn: Callable[[np.ndarray, Sequence[str]], np.ndarray],
  clips: LabeledClips,
  texts: Sequence[str],
) -> Curves:
  """Returns rewards over time of drawn successes and failures of every task.

  The reward of a clip up to a frame is that of `prefixes`, at 8 points in time
  or each frame. Half of the clips are successes, half near-misses (all failures
  where none is a near-miss), drawn evenly over tasks: 1,000 prefixes in an
  environment, and more only where it needs one clip of each kind and task.

  Args:
    score_fn: clips `[N, T, H, W, 3]` and L texts -> `[N, L]`.
    clips: N clips.
    texts: L texts.
  """
  num_frames = clips.frames.shape[1]
  num_times = min(_NUM_TIMES, num_frames)
  times = images.frame_indices(num_frames, num_times, "ends")
  index = _sample(clips, _MAX_PREFIXES // num_times)
  own_text = clips.text_index(texts)

  def score(rows):
    parts = [prefixes(clips.frames[row])[times] for row in rows]
    values = score_fn(np.concatenate(parts), texts)
    values = values.reshape(len(rows), num_times, len(texts))
    return values[np.arange(len(rows)), :, own_text[rows]].astype(np.float64)

  size = max(1, _CHUNK // num_times)
  return Curves(index, times, batching.map_chunks(score, size, index))


def mean_curves(curves: Curves, clips: LabeledClips) -> dict[str, dict]:
  """Returns mean rewards over time, per environment and task.

  Returns:
    environment -> task -> `times`, the shares of the clip that were seen;
    `success` and `failure`, mean rewards, and `success_std` and `failure_std`,
    their standard deviations over clips, each `[P]` and left out where there
    are no such clips.
  """
  last = max(clips.frames.shape[1] - 1, 1)
  result = {}
  for environment, task, at in clips.groups():
    mine = np.isin(curves.index, at)
    if not mine.any():
      continue
    means = {"times": (curves.frames / last).tolist()}
    success = clips.success[curves.index]
    for kind, mask in {"success": success, "failure": ~success}.items():
      values = curves.values[mine & mask]
      if len(values):
        means[kind] = values.mean(0).tolist()
        means[f"{kind}_std"] = values.std(0).tolist()
    result.setdefault(environment, {})[task] = means
  return result


def _sample(clips: LabeledClips, num_clips: int) -> np.ndarray:
  """`[M]` clips, at most `num_clips` per environment, evenly over tasks."""
  rng = np.random.default_rng(0)
  missed = clips.near_misses_or_failures
  groups = {}
  for environment, _, at in clips.groups():
    kinds = [at[clips.success[at]], at[missed[at]]]
    groups[environment] = groups.get(environment, []) + kinds
  index = []
  for kinds in groups.values():
    size = max(1, num_clips // len(kinds))
    for kind in kinds:
      drawn = rng.choice(kind, min(size, len(kind)), replace=False)
      index += sorted(drawn.tolist())
  return np.array(index, int)

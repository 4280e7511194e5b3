"""Single clips of an evaluation: typical ones over time, and the whole list.

Letters: N clips, T frames, L instructions.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from a2r.evaluation.labeled import LabeledClips


@dataclasses.dataclass(frozen=True)
class Example:
  """A success and a near-miss of one environment, with rewards over time.

  Attributes:
    environment: where.
    instruction: the text both clips are scored with.
    kinds: a name per clip: ('success', 'near-miss'), or 'failure' for the
      second where near misses are not told apart.
    frames: per clip `[T, H, W, 3]` uint8.
    curves: per clip `[T]`, the reward of the clip up to each frame.
  """

  environment: str
  instruction: str
  kinds: tuple[str, ...]
  frames: tuple[np.ndarray, ...]
  curves: tuple[np.ndarray, ...]


def prefixes(clip: np.ndarray) -> np.ndarray:
  """The clip up to each of its frames, the rest filled with that frame.

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
  """`[T]` rewards of the clip up to each frame (see `prefixes`)."""
  scores = model.form_scores(prefixes(clip), [instruction])
  return np.asarray(scores[form])[:, 0]


def make_examples(
  model,
  form: str,
  scores: np.ndarray,
  clips: LabeledClips,
  instructions: Sequence[str],
) -> list[Example]:
  """One typical success and near-miss per environment, tasks taking turns.

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
  position = {text: i for i, text in enumerate(instructions)}
  told = bool(clips.near_miss.any())
  result = []
  for turn, environment in enumerate(dict.fromkeys(clips.environment)):
    here = clips.environment == environment
    tasks = list(dict.fromkeys(clips.task[here]))
    for i in range(len(tasks)):
      task = tasks[(turn + i) % len(tasks)]
      mine = here & (clips.task == task)
      missed = mine & (clips.near_miss if told else ~clips.success)
      groups = np.flatnonzero(mine & clips.success), np.flatnonzero(missed)
      if all(len(group) for group in groups):
        break
    else:
      continue
    text = clips.instruction[groups[0][0]]
    picked = [_median(g, scores[g, position[text]]) for g in groups]
    result.append(
      Example(
        environment=environment,
        instruction=text,
        kinds=("success", "near-miss" if told else "failure"),
        frames=tuple(clips.frames[i] for i in picked),
        curves=tuple(
          reward_curve(model, form, clips.frames[i], text) for i in picked
        ),
      )
    )
  return result


def clip_rows(
  scores: np.ndarray, clips: LabeledClips, instructions: Sequence[str]
) -> list[dict]:
  """The reward of each clip that has a name, highest first per instruction.

  Args:
    scores: `[N, L]` the reward of each clip for each instruction.
    clips: N clips.
    instructions: L texts.
  """
  position = {text: i for i, text in enumerate(instructions)}
  own_text = np.array([position[text] for text in clips.instruction])
  own = scores[np.arange(len(clips)), own_text]
  return [
    {
      "name": str(clips.name[row]),
      "instruction": str(clips.instruction[row]),
      "success": bool(clips.success[row]),
      "score": float(own[row]),
    }
    for row in np.lexsort((-own, own_text))
    if clips.name[row]
  ]


def _median(indices: np.ndarray, scores: np.ndarray) -> int:
  """The index whose score is the median."""
  return int(indices[np.argsort(scores, kind="stable")[(len(scores) - 1) // 2]])

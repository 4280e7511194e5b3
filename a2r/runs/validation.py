"""How well the reward tells success from failure while it is being trained.

Letters: N clips, T frames, M robot tasks, L tokens, E feature width.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import images
from a2r.evaluation import labeled, metrics
from a2r.models import adapt2reward as net
from a2r.models import scorer

_CHUNK = 40


def make_validate_fn(
  model: net.Adapt2Reward,
  clips: labeled.LabeledClips,
  texts: Sequence[str],
  tokens: tuple[np.ndarray, np.ndarray],
) -> Callable[[Any, Any], dict[str, float]]:
  """Returns `validate(params, extra) -> metrics`.

  The metrics: `auroc/<task>`, for the cosine with the task's instruction, and
  `auroc`, their mean. A task with one outcome only has none;
  without any other task there are no metrics.

  Args:
    model: the module.
    clips: N robot clips, successes and failures.
    texts: M instructions of the robot tasks.
    tokens: their ids and mask, `[M, L]` each.
  """
  config = model.config
  index = images.frame_indices(clips.frames.shape[1], config.num_frames, "ends")
  frames = clips.frames[:, index]
  row = np.array([list(texts).index(text) for text in clips.instruction])

  @jax.jit
  def encode_video(params, frames):
    frames = images.normalize(images.resize(frames, config.image_size))
    return model.apply({"params": params}, frames, method="video")

  @jax.jit
  def encode_text(params):
    ids, mask = map(jnp.asarray, tokens)
    domain = jnp.full(len(ids), net.ROBOT)
    return model.apply({"params": params}, ids, mask, domain, method="text")

  def validate(params, extra):
    del extra
    params = jax.device_put(params)
    video = np.concatenate(
      [np.asarray(encode_video(params, x)) for x in _chunks(frames)]
    )[: len(frames)]
    text = np.asarray(encode_text(params))
    return _aurocs(np.einsum("ne,ne->n", video, text[row]), clips)

  return validate


def of_scorer(
  scorer_fn: Callable[[Any, Any], scorer.Scorer],
  clips: labeled.LabeledClips,
  *,
  frozen: bool = False,
) -> Callable[[Any, Any], dict[str, float]]:
  """Returns `validate(params, extra) -> metrics`, those of `make_validate_fn`.

  Args:
    scorer_fn: `(params, extra) -> Scorer`.
    clips: N robot clips, successes and failures.
    frozen: whether the features of clips are the same for all parameters.
  """
  texts = list(dict.fromkeys(clips.instruction.tolist()))
  own = np.array([texts.index(text) for text in clips.instruction])
  kept = []

  def validate(params, extra):
    judge = scorer_fn(params, extra)
    judge = judge._replace(params=jax.device_put(judge.params))
    features = kept[0] if kept else scorer.encode(judge, clips.frames)
    if frozen and not kept:
      kept.append(features)
    scores = scorer.score_features(judge, features, texts)
    return _aurocs(scores[np.arange(len(clips)), own], clips)

  return validate


def _aurocs(scores: np.ndarray, clips: labeled.LabeledClips):
  """How well `[N]` scores tell success from failure, per task and in mean."""
  values = {}
  for task in dict.fromkeys(clips.task.tolist()):
    at = clips.task == task
    if len(set(clips.success[at].tolist())) == 2:
      values[f"auroc/{task}"] = metrics.auroc(scores[at], clips.success[at])
  if not values:
    return {}
  return {"auroc": float(np.mean(list(values.values()))), **values}


def _chunks(frames: np.ndarray):
  """Pieces of one size; the last is filled up with its last clip."""
  padding = -len(frames) % _CHUNK
  frames = np.concatenate([frames, np.repeat(frames[-1:], padding, axis=0)])
  return np.split(frames, len(frames) // _CHUNK)

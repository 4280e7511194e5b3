"""Concept2Robot: the reward is what a classifier of human activities says.

Shao et al., "Concept2Robot: Learning Manipulation Concepts from Instructions
and Human Demonstrations" (RSS 2020): a video classifier is trained on human
clips alone, and a robot's clip is as good as it looks like the class of its
instruction. Here the classifier is the backbone with a linear head, which
starts as the texts of the classes: the backbone's own zero-shot classifier.

Letters: B clips, T frames, H W picture, C classes, L texts, E feature width.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.core import parallel
from a2r.core import text as text_lib
from a2r.learners import base, encoding
from a2r.models import heads, saved, scorer
from a2r.models.singularity import singularity

# What a class's logits become; the first is the default. Both rank alike where
# 'published' has not come to 1 in float32.
SCORES = {
  "log_odds": losses.class_log_odds,
  "published": losses.concept2robot_reward,
}


def make_learner(
  config: singularity.Config,
  *,
  num_classes: int,
  temperature: float,
  augment: Callable[..., jax.Array],
  backbone_fn: Callable[[jax.Array], Any],
  class_features_fn: Callable[[Any], np.ndarray],
  micro_batch: int | None = None,
) -> base.Learner:
  """Returns the method; it looks at the part `human` of a batch alone.

  Args:
    config: of the backbone.
    num_classes: C; a clip's `task` is its class.
    temperature: of the softmax over classes.
    augment: `(rng, clip, task) -> clip` for the network, unbatched.
    backbone_fn: `rng -> params` of the backbone.
    class_features_fn: backbone's params -> `[C, E]` unit features of the
      classes' texts, which the head starts from.
    micro_batch: clips that a device encodes at a time.
  """
  model = heads.Classifier(config, num_classes, temperature)

  def init(rng):
    backbone = backbone_fn(rng)
    head = {
      "kernel": jnp.asarray(class_features_fn(backbone)).T,
      "bias": jnp.zeros(num_classes),
    }
    return {"backbone": backbone, "head": head}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    human = {"human": batch["human"]}
    logits = encoding.encode_clips(
      model, params, human, rng, axis_name,
      augment=augment, micro_batch=micro_batch,
    )["human"]  # fmt: skip
    labels = batch["human"]["task"]
    logits, labels = parallel.all_gather((logits, labels), axis_name)
    loss = losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jnp.mean(jnp.argmax(logits, 1) == labels)}

  return base.Learner(init, loss_fn)


@dataclasses.dataclass(frozen=True)
class _ClassScore:
  """Picks the classes of the texts, the context `[L]`."""

  score: str

  def __call__(self, params, features, context):
    del params
    return SCORES[self.score](features)[:, context]


def make_scorer(
  config: singularity.Config,
  params: Any,
  *,
  classes: Sequence[str],
  readings: Mapping[str, str],
  temperature: float,
  score: str = "log_odds",
) -> scorer.Scorer:
  """The scorer of trained parameters.

  Args:
    config: of the backbone.
    params: the learner's.
    classes: C names.
    readings: text -> name of its class; other texts are read as one of these
      if they differ in articles and the verb's form alone.
    temperature: that of training.
    score: one of `SCORES`.
  """
  if score not in SCORES:
    raise ValueError(f"unknown score {score!r}; known: {', '.join(SCORES)}")
  model = heads.Classifier(config, len(classes), temperature)
  return scorer.Scorer(
    name="concept2robot",
    params={"model": params},
    encode_fn=scorer.EncodeVideo(model),
    score_fn=_ClassScore(score),
    context_fn=functools.partial(_find_classes, tuple(classes), dict(readings)),
    num_frames=config.num_frames,
    image_size=config.image_size,
  )


def _find_classes(classes, readings, texts):
  """`[L]` int32; a KeyError for a text that is of no class."""
  found = []
  for text in texts:
    index = text_lib.find_instruction(text, list(readings))
    name = None if index is None else list(readings.values())[index]
    if name not in classes:
      raise KeyError(
        f"{text!r} is of no class of the classifier; texts that are: "
        + ", ".join(repr(t) for t, c in readings.items() if c in classes)
      )
    found.append(classes.index(name))
  return np.array(found, np.int32)


def _load(folder: pathlib.Path, checkpoint: str) -> scorer.Scorer:
  run = saved.read_run(folder, checkpoint)
  return make_scorer(
    run.config,
    run.params,
    classes=run.spec["classes"],
    readings=run.spec["readings"],
    temperature=run.settings["loss"]["temperature"],
    score=run.settings["concept2robot"]["score"],
  )


METHOD = base.Method(
  name="concept2robot",
  label="Concept2Robot",
  color="#E69F00",
  parts=("human",),
  load=_load,
)

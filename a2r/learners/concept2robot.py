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

import jax.numpy as jnp
import numpy as np

from a2r import losses
from a2r.core import checks, parallel
from a2r.learners import base, encoding, run_files
from a2r.models import heads, saved, scorer
from a2r.sim.humans import human_clips

# What a class's logits become; the first is the default. Both rank alike where
# 'published' has not come to 1 in float32.
SCORES = {
  "log_odds": losses.class_log_odds,
  "published": losses.concept2robot_reward,
}


@dataclasses.dataclass(frozen=True)
class Settings:
  """The settings of the method's own.

  Attributes:
    templates: of the human clips, in place of `data.human.templates`; none
      stands for all that there are.
    clips_per_template: in place of `data.human.clips_per_template`.
    score: one of `SCORES`.
  """

  templates: tuple[str, ...]
  clips_per_template: int
  score: str

  def __post_init__(self):
    checks.one_of("concept2robot.score", self.score, SCORES)


def make(setup: base.Setup, settings: Settings) -> base.Training:
  """Returns the method of a run; it looks at human clips alone."""
  used = set(setup.clips.tasks("human").tolist())
  rows = [row for row in range(len(setup.labels)) if row in used]
  classes = [setup.labels[row] for row in rows]
  texts = [setup.texts[row] for row in rows]
  readings, instructions = setup.clips.read_labels(classes)
  config = setup.model.config
  model = heads.Classifier(config, len(classes), setup.temperature)
  augment = setup.augmentation.of_texts(texts)

  def init(rng):
    backbone = setup.init_backbone(rng)
    text_fn = scorer.make_text_fn(
      encoding.plain_model(config), {"backbone": backbone}, setup.tokenizer
    )
    head = {
      "kernel": jnp.asarray(text_fn(texts)).T,
      "bias": jnp.zeros(len(classes)),
    }
    return {"backbone": backbone, "head": head}, {}

  def loss_fn(params, extra, batch, rng, axis_name):
    del extra
    human = {"human": batch["human"]}
    logits = encoding.encode_clips(
      model, params, human, rng, axis_name,
      augment=augment, micro_batch=setup.micro_batch,
    )["human"]  # fmt: skip
    labels = batch["human"]["task"]
    logits, labels = parallel.all_gather((logits, labels), axis_name)
    loss = losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jnp.mean(jnp.argmax(logits, 1) == labels)}

  spec = {
    "classes": classes,
    "readings": readings,
    "instructions": instructions,
    "num_trained": 0,
  }

  return base.Training(
    base.Learner(init, loss_fn),
    spec,
    batches_fn=functools.partial(setup.clips.batches, labels=classes),
  )


@dataclasses.dataclass(frozen=True)
class _ClassScore:
  """Picks the classes of the texts, the context `[L]`."""

  score: str

  def __call__(self, params, features, context):
    del params
    return SCORES[self.score](features)[:, context]


def make_scorer(run: saved.Run) -> scorer.Scorer:
  """Returns the scorer of a run, see `base.Method`."""
  config, classes = run.config, run.spec["classes"]
  score = run.settings["concept2robot"]["score"]
  checks.one_of("score", score, SCORES)
  temperature = run.settings["loss"]["temperature"]
  model = heads.Classifier(config, len(classes), temperature)

  def find_classes(texts):
    readings, what = run.spec["readings"], "class of the classifier"
    labels = [run_files.find_label(t, readings, classes, what) for t in texts]
    return np.array([classes.index(label) for label in labels], np.int32)

  return scorer.Scorer(
    name=METHOD.name,
    params={"model": run.params},
    encode_fn=scorer.EncodeVideo(model),
    score_fn=_ClassScore(score),
    context_fn=find_classes,
    num_frames=config.num_frames,
    image_size=config.image_size,
  )


def _share(settings, batch, source):
  """Makes all clips of a step human, of more templates."""
  if source == "none":
    raise ValueError(
      "concept2robot learns from human clips alone: data.human.source='none' "
      "leaves it nothing"
    )
  templates = tuple(settings.templates)
  if source == "procedural":
    templates = templates or human_clips.TEMPLATES
  return base.Share(
    {"human": sum(batch.values())},
    human={
      "templates": templates,
      "clips_per_template": settings.clips_per_template,
    },
  )


METHOD = base.Method(
  name="concept2robot",
  label="Concept2Robot",
  color="#E69F00",
  parts=("human",),
  settings=Settings,
  make=make,
  make_scorer=make_scorer,
  share=_share,
)

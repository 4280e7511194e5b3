"""The methods that Adapt2Reward is compared with, as training runs.

They have its clips, backbone, first weights and number of steps (see
`a2r.runs.methods`), but for Concept2Robot's clips: human ones alone, of more
templates and in a number of their own (`concept2robot` in the settings). What
else they need is under a key of their name in the settings.

Letters: I instructions, N clips, T frames, S picture size.
"""

import functools
import pathlib
from typing import Any

import jax
import numpy as np

from a2r.core import optim, text
from a2r.core import rng as rng_lib
from a2r.learners import (
  concept2robot,
  dvd,
  encoding,
  liv,
  loop,
  run_files,
  triplet,
)
from a2r.models import scorer
from a2r.runs import (
  batches,
  datasets,
  demonstrations,
  initial,
  methods,
  validation,
)
from a2r.runs import readings as readings_lib
from data import pipeline


def make(
  config: Any, workdir: pathlib.Path, data: datasets.Data, start: initial.Start
) -> methods.Method:
  """The baseline `config.method`.

  Args:
    config: the settings, adjusted.
    workdir: the run folder; DVD's demonstrations are written there.
    data: the run's clips and texts.
    start: the backbone and its first weights.
  """
  return _MAKERS[config.method](config, workdir, data, start)


def _make_concept2robot(config, workdir, data, start):
  del workdir
  used = set(getattr(data.human, data.label_by).tolist())
  classes = [label for label in data.labels if label in used]
  readings = readings_lib.find(data, used)
  readings_lib.check(config, data, readings)
  texts = [data.texts[data.labels.index(name)] for name in classes]
  settings = {"temperature": config.loss.temperature}

  def class_features(backbone):
    return _text_fn(start, backbone, texts)(texts)

  learner = concept2robot.make_learner(
    start.model.config,
    num_classes=len(classes),
    augment=_augment(config, texts),
    backbone_fn=_backbone_fn(start),
    class_features_fn=class_features,
    micro_batch=config.train.micro_batch,
    **settings,
  )

  def make_scorer(params, extra):
    del extra
    return concept2robot.make_scorer(
      start.model.config,
      params,
      classes=classes,
      readings=readings,
      score=config.concept2robot.score,
      **settings,
    )

  return methods.Method(
    learner,
    _optimizer(config),
    functools.partial(_batches, config, data, start, classes),
    validation.of_scorer(make_scorer, data.validation),
    {
      "classes": classes,
      "readings": readings,
      "instructions": readings_lib.list_instructions(config, data, used),
      "num_trained": 0,
    },
  )


def _make_liv(config, workdir, data, start):
  del workdir
  settings = config.liv
  learner = liv.make_learner(
    **_text_arguments(config, data, start),
    weights=settings.weights.to_dict(),
    gamma=settings.gamma,
    num_negatives=settings.num_negatives,
  )

  def make_scorer(params, extra):
    del extra
    text_fn = _text_fn(start, params["backbone"], data.texts)
    return liv.make_scorer(start.model.config, params, text_fn)

  return _text_method(config, data, start, learner, make_scorer)


def _make_triplet(config, workdir, data, start):
  del workdir
  learner = triplet.make_learner(
    **_text_arguments(config, data, start), margin=config.triplet.margin
  )

  def make_scorer(params, extra):
    del extra
    text_fn = _text_fn(start, params["backbone"], data.texts)
    model = encoding.plain_model(start.model.config)
    return scorer.cosine("triplet", model, params, text_fn)

  return _text_method(config, data, start, learner, make_scorer)


def _text_arguments(config, data, start):
  """What learners with texts have in common."""
  ids, mask = start.tokenizer(data.texts, start.max_length)
  return {
    "config": start.model.config,
    "instruction_ids": ids,
    "instruction_mask": mask,
    "augment": _augment(config, data.texts),
    "backbone_fn": _backbone_fn(start),
    "micro_batch": config.train.micro_batch,
  }


def _text_method(config, data, start, learner, make_scorer):
  return methods.Method(
    learner,
    _optimizer(config),
    functools.partial(_batches, config, data, start, data.labels),
    validation.of_scorer(make_scorer, data.validation),
    {"instructions": data.texts},
  )


def _make_dvd(config, workdir, data, start):
  settings = config.dvd
  shown = demonstrations.collect(config, data, start.model.config)
  readings = readings_lib.find(data, shown.labels)
  readings_lib.check(config, data, readings)
  demonstrations.save(shown, workdir / run_files.DEMOS_FILE)
  rng = rng_lib.step_key(config.seed, loop.INIT)
  backbone = _backbone_fn(start)(rng)
  clips, task, is_robot = _successes(data, start)
  features = dvd.encode_views(
    start.model.config,
    backbone,
    clips,
    task=task,
    augment=_augment(config, data.texts),
    num_views=settings.num_views,
    rng=rng,
  )
  make_scorer = functools.partial(
    dvd.make_scorer,
    start.model.config,
    demos=shown.frames,
    labels=shown.labels,
    readings=readings,
  )
  known = readings_lib.list_instructions(config, data, shown.labels)
  return methods.Method(
    dvd.make_learner(backbone, features),
    dvd.make_optimizer(**settings.optim),
    lambda step: dvd.make_batches(
      features,
      task,
      is_robot,
      batch_size=settings.batch_size,
      robot_probability=settings.robot_probability,
      seed=config.seed,
      start_step=step,
      num_steps=config.train.num_steps,
      process_index=jax.process_index(),
      process_count=jax.process_count(),
    ),
    validation.of_scorer(make_scorer, data.validation, frozen=True),
    {
      "readings": readings,
      "instructions": known,
      "num_trained": sum(t in known for t in data.texts[: data.num_trained]),
    },
  )


_MAKERS = {
  "concept2robot": _make_concept2robot,
  "dvd": _make_dvd,
  "liv": _make_liv,
  "triplet": _make_triplet,
}


def _successes(data, start):
  """Frames, labels and domains of all clips that show what they should."""
  robot, _ = data.robot.split()
  sets = [robot] if data.human is None else [data.human, robot]
  frames = [
    pipeline.load_clips(
      one,
      num_frames=start.model.config.num_frames,
      image_size=start.model.config.image_size,
    ).frames
    for one in sets
  ]
  task = [pipeline.label_rows(one, data.labels, data.label_by) for one in sets]
  is_robot = np.arange(sum(map(len, sets))) >= sum(map(len, sets[:-1]))
  return np.concatenate(frames), np.concatenate(task), is_robot


def _batches(config, data, start, labels, step):
  """Batches of the parts that the method looks at, where there are any."""
  return batches.make_batches(
    config, data, start, groups=methods.groups(config), step=step, labels=labels
  )


def _augment(config, texts):
  """The change of training clips; `task` counts the texts."""
  may_mirror = None
  if config.train.augment == "published":
    may_mirror = tuple(not text.has_direction(one) for one in texts)
  return encoding.Augment(config.train.crop, config.train.color, may_mirror)


def _optimizer(config):
  return optim.make_optimizer(num_steps=config.train.num_steps, **config.optim)


def _backbone_fn(start):
  return lambda rng: start.init_fn(rng)["backbone"]


def _text_fn(start, backbone, known):
  return run_files.make_text_fn(
    start.model.config, backbone, start.tokenizer, known
  )

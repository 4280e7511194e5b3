"""Human clips that show a task to a method that is told by showing.

Letters: N clips, T frames, S picture size.
"""

import dataclasses
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from a2r import sim
from a2r.models.singularity import singularity
from a2r.runs import datasets
from a2r.runs.data_settings import DataSettings
from a2r.runs.sources import human as human_source
from a2r.sim.humans import human_clips
from data import pipeline

# Clips that are made have a seed that no run's training clips have.
_SEED = 1_000_000


class Demonstrations(NamedTuple):
  """As many clips of each label.

  Attributes:
    frames: `[N, T, S, S, 3]` uint8.
    labels: `[N]` str.
  """

  frames: np.ndarray
  labels: np.ndarray


def collect(
  config: Any, data: datasets.Data, backbone: singularity.Config
) -> Demonstrations:
  """Demonstrations of the run's labels and of all tasks of the tabletop.

  Where human clips are made, or there are none, demonstrations are made too,
  apart from those to train on. Those of Something-Something V2 are of its
  validation split. Else they are the first human clips of each label, and the
  tabletop's other tasks have none; nor has a label that has too few.

  Args:
    config: the settings.
    data: the run's clips.
    backbone: says how many frames of what size.
  """
  if config.data.human.source in ("procedural", "none"):
    return _make(config, data, backbone)
  num = config.dvd.num_demos
  human, labels = data.human, data.labels
  if config.data.human.source == "ssv2" and data.label_by == "template":
    human, labels = _open_validation(config, data)
  column = getattr(human, data.label_by)
  rows = [np.flatnonzero(column == label)[:num] for label in labels]
  rows = [few for few in rows if len(few) == num]
  if not rows:
    raise ValueError(f"no task has dvd.num_demos={num} human clips")
  clips = human.select(np.concatenate(rows))
  return _load(clips, data.label_by, backbone)


def _make(config, data, backbone):
  """Procedural clips that no run trains on."""
  labels = list(data.labels)
  if data.label_by == "template":
    labels += [task.template for task in sim.TASKS.values()]
  spec = human_source.HumanSpec(
    templates=tuple(t for t in human_clips.TEMPLATES if t in labels),
    clips_per_template=config.dvd.num_demos,
    seed=_SEED + config.seed,
    num_frames=config.data.stored_frames,
    image_size=config.data.image_size,
  )
  clips = human_source.collect(spec, config.data.dir)
  return _load(clips, "template", backbone)


def _open_validation(config, data):
  """Clips of Something-Something V2 that no run trains on, and their labels."""
  shown = set(data.human.template.tolist())
  labels = [label for label in data.labels if label in shown]
  labels += [task.template for task in sim.TASKS.values()]
  labels = list(dict.fromkeys(labels))
  settings = DataSettings.from_config(config.data)
  chosen = dataclasses.replace(
    settings.human,
    templates=tuple(labels),
    clips_per_template=config.dvd.num_demos,
  )
  settings = dataclasses.replace(settings, human=chosen)
  human = datasets.open_human(settings, config.seed, split="validation")
  return human, labels


def notes(config: Any) -> list[str]:
  """What there is to say of a run's demonstrations, one line each."""
  if config.method == "dvd" and config.data.human.source == "none":
    return [
      "dvd is shown each task by drawn human clips: there are no others, and "
      "it is not trained on these"
    ]
  return []


def save(demos: Demonstrations, path: pathlib.Path):
  """Writes them as an .npz file, all or nothing."""
  partial = path.with_name(f"{path.stem}.partial.npz")
  np.savez_compressed(partial, **demos._asdict())
  os.replace(partial, path)


def _load(dataset, column, backbone):
  clips = pipeline.load_clips(
    dataset, num_frames=backbone.num_frames, image_size=backbone.image_size
  )
  return Demonstrations(clips.frames, getattr(dataset, column).astype(str))

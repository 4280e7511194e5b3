"""Human clips that show a task to a method that is told by showing.

Letters: N clips, T frames, S picture size.
"""

import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

from a2r import sim
from a2r.models import singularity
from a2r.sim import humans
from data import pipeline
from data.dataset import Dataset
from launch import collecting, prepare

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
  config: Any, data: prepare.Data, backbone: singularity.Config
) -> Demonstrations:
  """Demonstrations of the run's labels and of all tasks of the tabletop.

  Those that the generator knows are made, and are in no training set. Of other
  labels the first human clips of the run are taken; one that has too few has
  none.

  Args:
    config: the settings.
    data: the run's clips.
    backbone: says how many frames of what size.
  """
  num = config.dvd.num_demos
  labels = list(data.labels)
  if data.label_by == "template":
    labels += [task.template for task in sim.TASKS.values()]
  labels = list(dict.fromkeys(labels))
  made = tuple(label for label in labels if label in humans.TEMPLATES)
  parts = []
  if made:
    spec = collecting.HumanSpec(
      templates=made,
      clips_per_template=num,
      seed=_SEED + config.seed,
      num_frames=config.data.stored_frames,
      image_size=config.data.image_size,
    )
    clips = collecting.collect_human(spec, config.data.dir)
    parts.append(_load(clips, clips.template, backbone))
  for label in (label for label in labels if label not in made):
    if data.human is None:
      continue
    rows = np.flatnonzero(getattr(data.human, data.label_by) == label)[:num]
    if len(rows) == num:
      chosen = np.isin(np.arange(len(data.human)), rows)
      clips = data.human.select(chosen)
      parts.append(_load(clips, np.full(num, label), backbone))
  if not parts:
    raise ValueError("no human clip shows any task of the run")
  return Demonstrations(*map(np.concatenate, zip(*parts, strict=True)))


def save(demos: Demonstrations, path: pathlib.Path):
  """Writes them as an .npz file, all or nothing."""
  partial = path.with_name(f"{path.stem}.partial.npz")
  np.savez_compressed(partial, **demos._asdict())
  os.replace(partial, path)


def _load(
  dataset: Dataset, labels: np.ndarray, backbone: singularity.Config
) -> Demonstrations:
  clips = pipeline.load_clips(
    dataset, num_frames=backbone.num_frames, image_size=backbone.image_size
  )
  return Demonstrations(clips.frames, np.asarray(labels).astype(str))

"""Human clips with captions for stage 1: split, named, mirrored.

Letters: V clips held out, N captions, C templates, L tokens, B clips of a
batch, T frames, S picture size.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import checks as core_checks
from a2r.core import text
from a2r.evaluation import retrieval
from a2r.runs import datasets
from a2r.runs.data_settings import DataSettings
from data import checks, pipeline
from data.dataset import Dataset
from data.ssv2 import layout, store


class Clips(NamedTuple):
  """Clips to train on and clips to judge by; `instruction` is the caption.

  Attributes:
    train: clips.
    validation: V others.
    captions: of the clips in `train`, then those of their mirrored pictures.
    mirrored: `[len(captions)]` int, the caption of the mirrored picture; -1
      where it has none.
    templates: C of all clips, as texts; empty if the clips have none.
  """

  train: Dataset
  validation: Dataset
  captions: list[str]
  mirrored: np.ndarray
  templates: list[str]


def count(
  data: DataSettings, *, captions: str, num_held_out: int
) -> int | None:
  """Returns how many clips are trained on at most, before any is made.

  None where only opening them tells. Arguments and errors are those of
  `open_clips`, as far as they show before.
  """
  core_checks.one_of("data.captions", captions, store.CAPTIONS)
  datasets.check(data)
  num = datasets.count_human(data)
  if num is None or data.human.source == "ssv2":
    return num
  if not 0 < num_held_out < num:
    raise _split_error(num_held_out, num)
  return num - num_held_out


def _split_error(num_held_out: int, num: int) -> ValueError:
  return ValueError(
    f"data.validation.clips={num_held_out} of {num} clips: "
    "some must be held out, and some be left to train on"
  )


def open_clips(
  data: DataSettings, seed: int, *, captions: str, num_held_out: int
) -> Clips:
  """Opens the clips of a run, made where they are to be made.

  Args:
    data: which clips.
    seed: of the clips that are made and of the choice of those held out.
    captions: of `store.CAPTIONS`.
    num_held_out: clips of the official validation split where the source is
      ssv2, else of all clips.

  Raises:
    ValueError: settings or clips that make no sense; says where and what to do.
    FileNotFoundError: a folder of the user's that is not there.
  """
  core_checks.one_of("data.captions", captions, store.CAPTIONS)
  clips = _open(data, seed, "train", captions)
  official = data.human.source == "ssv2"
  others = _open(data, seed, "validation", captions) if official else clips
  order = np.random.default_rng(seed).permutation(len(others))
  held_out, rest = np.split(order, [min(max(num_held_out, 0), len(others))])
  validation = others.select(np.sort(held_out))
  train = clips if official else clips.select(np.sort(rest))
  if not len(train) or not len(validation):
    raise _split_error(num_held_out, len(clips))
  texts = sorted(set(train.instruction.tolist()))
  swapped = {caption: text.mirror(caption) for caption in texts}
  # A text may be the mirror of two: anticlockwise, counterclockwise.
  swapped = {other: caption for caption, other in swapped.items()} | swapped
  texts += sorted(swapped.keys() - {*texts, None})
  places = {caption: place for place, caption in enumerate(texts)}
  mirrored = [places.get(swapped[caption], -1) for caption in texts]
  templates = {layout.plain(t) for t in {*train.template, *validation.template}}
  return Clips(
    train=train,
    validation=validation,
    captions=texts,
    mirrored=np.array(mirrored, np.int32),
    templates=[] if "" in templates else sorted(templates),
  )


def _open(data: DataSettings, seed: int, split: str, captions: str) -> Dataset:
  """The clips of a split, their captions as `instruction`."""
  clips = datasets.open_human(data, seed, split=split)
  if clips is None:
    raise ValueError(
      "data.human.source='none': there is nothing to train on; known: "
      "procedural, ssv2, records, folder"
    )
  checks.check_clips(clips)
  checks.check_human(clips)
  if captions == "label":
    return clips
  templates = np.array([layout.plain(str(t)) for t in clips.template])
  if not all(templates):
    raise clips.error(
      templates.tolist().index(""),
      "has no template; train on labels: --config.data.captions=label",
    )
  return dataclasses.replace(clips, instruction=templates)


def make_batches(
  clips: Clips,
  tokenizer: text.Tokenizer,
  start_step: int,
  *,
  batch_size: int,
  num_frames: int,
  image_size: int,
  max_length: int,
  flip: str,
  seed: int,
  num_steps: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the batches from `start_step` on, for `finetune.make_learner`.

  Args:
    clips: the run's.
    tokenizer: of the captions.
    start_step: the first.
    batch_size: B of all hosts.
    num_frames: T.
    image_size: S, of stored clips.
    max_length: L.
    flip: one of `finetune.FLIPS`.
    seed: of the run.
    num_steps: length of the run.
  """
  ids, mask = tokenizer(clips.captions, max_length)
  columns = {"input_ids": ids, "attention_mask": mask}
  if flip == "safe":
    columns["directed"] = np.array([*map(text.has_direction, clips.captions)])
  if flip == "swap":
    columns["mirrored_input_ids"] = ids[clips.mirrored]
    columns["mirrored_attention_mask"] = mask[clips.mirrored]
    columns["mirrored_task"] = clips.mirrored
  spec = pipeline.BatchSpec(
    labels=clips.captions,
    batch_sizes={"human": batch_size},
    num_frames=num_frames,
    image_size=image_size,
    seed=seed,
    mode="rand",
    process_index=jax.process_index(),
    process_count=jax.process_count(),
  )
  for drawn in pipeline.make_batches(
    None, clips.train, spec, num_steps=num_steps, start_step=start_step
  ):
    task = drawn["human"]["task"]
    rows = {name: column[task] for name, column in columns.items()}
    yield {"frames": drawn["human"]["frames"], "task": task} | rows


def load_held_out(
  clips: Clips,
  tokenizer: text.Tokenizer,
  *,
  num_frames: int,
  image_size: int,
  max_length: int,
) -> dict[str, Any]:
  """Reads the held-out clips, as `retrieval.evaluate` takes them.

  Arguments as in `make_batches`. The captions are those of these clips, the
  classes the templates of all clips.
  """
  validation = clips.validation
  frames = pipeline.load_frames(
    validation, num_frames=num_frames, image_size=image_size, mode="middle"
  )

  def texts(names, used):
    rows = np.array([names.index(name) for name in used])
    return retrieval.Texts(*tokenizer(names, max_length), rows)

  captions = validation.instruction.tolist()
  classes = None
  if clips.templates:
    used = [layout.plain(str(template)) for template in validation.template]
    classes = texts(clips.templates, used)
  captions = texts(sorted(set(captions)), captions)
  return {"frames": frames, "captions": captions, "classes": classes}

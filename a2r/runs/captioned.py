"""Human clips with captions for stage 1: split, named, mirrored.

Letters: V clips held out, N captions, C templates, L tokens, B clips of a
batch, T frames.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import text
from a2r.evaluation import retrieval
from a2r.runs import datasets
from data import checks, pipeline
from data.dataset import Dataset
from data.ssv2 import layout, selection


class Clips(NamedTuple):
  """Clips to train on and clips to judge by; `instruction` is the caption.

  Attributes:
    train: clips.
    validation: V others.
    captions: of the clips in `train`, then those of their mirrored pictures.
    mirrored: `[len(captions)]` int, the caption of the mirrored picture.
    templates: C of all clips, as texts; empty if the clips have none.
  """

  train: Dataset
  validation: Dataset
  captions: list[str]
  mirrored: np.ndarray
  templates: list[str]


def open_clips(config: Any, seed: int) -> Clips:
  """Opens the clips of a run, made where they are to be made.

  Args:
    config: the settings under `data`. Held out are `validation.clips` of the
      official validation split where the source is ssv2, else of all clips.
    seed: of the clips that are made and of the choice of those held out.

  Raises:
    ValueError: settings or clips that make no sense; says where and what to do.
    FileNotFoundError: a folder of the user's that is not there.
  """
  if config.captions not in selection.CAPTIONS:
    raise ValueError(
      f"data.captions: unknown {config.captions!r}; known: "
      f"{', '.join(selection.CAPTIONS)}"
    )
  clips = _open(config, seed, "train")
  if config.human.source == "ssv2":
    train, others = clips, _open(config, seed, "validation")
    validation, _ = _split(others, config.validation.clips, seed)
  else:
    validation, train = _split(clips, config.validation.clips, seed)
  if not len(train) or not len(validation):
    raise ValueError(
      f"data.validation.clips={config.validation.clips} of {len(clips)} clips: "
      "some must be held out, and some be left to train on"
    )
  captions, mirrored = _captions(train)
  templates = {layout.plain(t) for t in {*train.template, *validation.template}}
  return Clips(
    train=train,
    validation=validation,
    captions=captions,
    mirrored=mirrored,
    templates=[] if "" in templates else sorted(templates),
  )


def _open(config: Any, seed: int, split: str) -> Dataset:
  """The clips of a split, their captions as `instruction`."""
  clips = datasets.open_human(config, seed, split=split)
  if clips is None:
    raise ValueError(
      "data.human.source='none': there is nothing to train on; known: "
      "procedural, ssv2, records, folder"
    )
  checks.check_clips(clips)
  checks.check_human(clips)
  if config.captions == "label":
    return clips
  templates = np.array([layout.plain(str(t)) for t in clips.template])
  if not all(templates):
    raise clips.error(
      templates.tolist().index(""),
      "has no template; train on labels: --config.data.captions=label",
    )
  return dataclasses.replace(clips, instruction=templates)


def _split(clips: Dataset, num: int, seed: int) -> tuple[Dataset, Dataset]:
  """`num` clips drawn at random, and the others, each in order."""
  order = np.random.default_rng(seed).permutation(len(clips))
  first, others = np.split(order, [min(max(num, 0), len(clips))])
  return clips.select(np.sort(first)), clips.select(np.sort(others))


def _captions(train: Dataset) -> tuple[list[str], np.ndarray]:
  captions = sorted(set(train.instruction.tolist()))
  mirrors = {caption: text.mirror(caption) for caption in captions}
  captions += sorted(set(mirrors.values()) - set(captions))
  places = {caption: place for place, caption in enumerate(captions)}
  mirrored = [places[text.mirror(caption)] for caption in captions]
  return captions, np.array(mirrored, np.int32)


def make_batches_fn(
  config: Any, clips: Clips, tokenizer: text.Tokenizer, num_frames: int
) -> Callable[[int], Iterator[dict[str, np.ndarray]]]:
  """Returns `batches(start_step)`, endless, for `finetune.make_learner`.

  Args:
    config: the whole settings.
    clips: the run's.
    tokenizer: of the captions.
    num_frames: T.
  """
  spec = pipeline.BatchSpec(
    labels=clips.captions,
    batch_sizes={"human": config.train.batch_size},
    num_frames=num_frames,
    image_size=config.data.image_size,
    seed=config.seed,
    mode="rand",
    process_index=jax.process_index(),
    process_count=jax.process_count(),
  )
  columns = _caption_columns(config.train, clips, tokenizer)

  def batches(start_step):
    for batch in pipeline.make_batches(
      None,
      clips.train,
      spec,
      num_steps=num_steps(config.train, clips),
      start_step=start_step,
    ):
      part = batch["human"]
      looked_up = {k: column[part["task"]] for k, column in columns.items()}
      yield {"frames": part["frames"], "task": part["task"]} | looked_up

  return batches


def epoch_steps(config: Any, clips: Clips) -> int:
  """Steps in which about each clip is seen once; `config` is `train`."""
  return len(clips.train) // config.batch_size


def num_steps(config: Any, clips: Clips) -> int:
  """Steps of the run; `config` is `train`."""
  return config.num_epochs * epoch_steps(config, clips)


def _caption_columns(config, clips, tokenizer) -> dict[str, np.ndarray]:
  """The tokens of each caption, and what the flip needs of it."""
  ids, mask = tokenizer(clips.captions, config.max_length)
  columns = {"input_ids": ids, "attention_mask": mask}
  if config.flip == "safe":
    directed = np.array([*map(text.has_direction, clips.captions)])
    return columns | {"directed": directed}
  if config.flip != "swap":
    return columns
  return columns | {
    "mirrored_input_ids": ids[clips.mirrored],
    "mirrored_attention_mask": mask[clips.mirrored],
    "mirrored_task": clips.mirrored,
  }


class Held(NamedTuple):
  """What a backbone is judged by.

  Attributes:
    frames: `[V, T, S, S, 3]` uint8.
    captions: those of these clips.
    classes: the templates of all clips; None if there are none.
  """

  frames: np.ndarray
  captions: retrieval.Texts
  classes: retrieval.Texts | None


def load_held_out(
  config: Any, clips: Clips, tokenizer: text.Tokenizer, num_frames: int
) -> Held:
  """Reads the held-out clips; arguments as in `make_batches_fn`."""
  validation = clips.validation
  loaded = pipeline.load_clips(
    validation,
    num_frames=num_frames,
    image_size=config.data.image_size,
    mode="middle",
  )

  def texts(names, own):
    places = {name: place for place, name in enumerate(names)}
    rows = np.array([places[name] for name in own])
    tokens = tokenizer(names, config.train.max_length)
    return retrieval.Texts(*tokens, rows)

  captions = validation.instruction.tolist()
  classes = None
  if clips.templates:
    own = [layout.plain(str(template)) for template in validation.template]
    classes = texts(clips.templates, own)
  return Held(loaded.frames, texts(sorted(set(captions)), captions), classes)

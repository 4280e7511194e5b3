"""Settings that are in their ranges, in combinations that nobody tried.

They are refused in one line, or the first step of the training can be traced.
"""

import functools
from collections.abc import Iterator

import jax
import numpy as np

from configs import ranges
from tests.fuzz.harness import Case, Started, Tools

DOOR = "combined"
_METHODS = ("adapt2reward", "concept2robot", "dvd", "liv", "triplet")
_CHOICES = {
  "model.backbone.stem": ("conv", "patch"),
  "model.backbone.pooling": ("flat", "cls", "mean"),
  "model.backbone.stem_window": ("clip", "frame", "pair"),
  "model.backbone.dtype": ("float32", "bfloat16", "float16"),
  "model.backbone.temporal_feature": (True, False),
  "model.backbone.temporal_embeddings": (True, False),
  "model.backbone.itm": (True, False),
  "train.augment": ("crop_color", "published"),
  "data.human.source": ("records", "none"),
}
_SMALL = (0, 1, 2, 3, 4, 7, 8, 16, 0.5, 0.1)
_FIXED = ("data.", "seed", "train.num_steps", "eval.")


def cases() -> Iterator[Case]:
  """Two to four settings changed at once, of each method."""
  for number in range(36):
    yield Case(DOOR, str(number), functools.partial(_run, number))


def _change(config, rng) -> dict:
  """Changes some settings of a config to values within their ranges."""
  changes = {"method": _METHODS[rng.integers(len(_METHODS))]}
  keys = [
    key
    for key, _ in ranges.numbers(config.to_dict())
    if not key.startswith(_FIXED) and key != "model.backbone.stem_features"
  ]
  for _ in range(rng.integers(1, 4)):
    if rng.random() < 0.3:
      key = list(_CHOICES)[rng.integers(len(_CHOICES))]
      values = _CHOICES[key]
    else:
      key = keys[rng.integers(len(keys))]
      kind = type(dict(ranges.numbers(config.to_dict()))[key])
      values = [
        kind(v) for v in _SMALL if v in ranges.RANGES[key] and kind(v) == v
      ]
    changes[key] = values[rng.integers(len(values))]
  config.update_from_flattened_dict(changes)
  return changes


def _trace(learner, optimizer, batches_fn, clocks, **_):
  """Stands in for the loop: shapes alone, nothing is compiled."""
  from a2r.learners import base, loop

  params, extra = learner.init(jax.random.key(0))
  state = jax.eval_shape(lambda: base.create_state(params, extra, optimizer))
  step_fn = loop.make_step_fn(learner, optimizer, None)
  jax.eval_shape(step_fn, state, next(batches_fn(0)), np.uint32(0))
  raise Started("training")


def _run(number, tools: Tools) -> str:
  from a2r.learners import loop
  from a2r.runs import train

  config = tools.things.kept("own", lambda: tools.things.own_config())
  config = config.copy_and_resolve_references()
  rng = np.random.default_rng(number)
  changes = _change(config, rng)
  tools.patch.setattr(loop, "train", _trace)
  try:
    return tools.refused(lambda: train.run(config, tools.path))
  except Started:
    return "valid"
  except Exception as error:
    raise type(error)(f"{changes}: {error}") from error

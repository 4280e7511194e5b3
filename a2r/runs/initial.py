"""The network of a training run and where its weights start from."""

import contextlib
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import text, trees
from a2r.learners import adapt2reward
from a2r.models import adapt2reward as net
from a2r.models import convert
from a2r.models.convert import sizes
from a2r.models.singularity import singularity
from a2r.runs import datasets, weights
from a2r.sim.humans import human_clips
from data import text as text_data

_SHIPPED = "small_backbone"
_MAX_LENGTH = 32


class Start(NamedTuple):
  """A network, its texts and its first weights.

  Attributes:
    model: the module.
    tokenizer: of its texts.
    max_length: longest text in tokens, [CLS] included, prompts not.
    init_fn: `rng -> params`.
    card: what is known of the backbone.
  """

  model: net.Adapt2Reward
  tokenizer: text.Tokenizer
  max_length: int
  init_fn: Callable[[jax.Array], Any]
  card: dict[str, Any]


def make_start(config: Any, data: datasets.Data) -> Start:
  """Builds the network and finds its weights.

  Args:
    config: the settings under `model`; `init` is 'scratch', 'small_backbone'
      (which ships with the project), a .safetensors file of `weight_files`, or
      a folder: a run, an exported reward, or a conversion. Pictures may have
      another size than the weights are for, clips another number of frames.
    data: the run's clips and texts.

  Raises:
    ValueError: sizes that do not fit the weights or the texts.
    FileNotFoundError: no such folder or weights.
  """
  backbone_config = singularity.Config(**config.backbone)
  model = net.Adapt2Reward(
    backbone_config,
    num_tasks=data.num_trained,
    num_failure_prompts=config.num_failure_prompts,
    failure_prompt_length=config.failure_prompt_length,
    domain_prompt_length=config.domain_prompt_length,
  )
  backbone = find_weights(config, data.texts)
  prompts = config.failure_prompt_length + config.domain_prompt_length
  max_length = min(_MAX_LENGTH, backbone_config.max_positions - prompts)
  _, mask = backbone.tokenizer(data.texts, max_length + 1)
  if mask[:, max_length:].any():
    longest = data.texts[int(mask.sum(axis=1).argmax())]
    raise ValueError(
      f"the instruction {longest!r} is longer than {max_length} tokens; raise "
      "model.backbone.max_positions"
    )

  def draw(rng):
    ids = np.zeros((1, max_length), np.int32)
    return adapt2reward.init_params(model, rng, ids)

  def init_fn(rng):
    if backbone.params is None:
      return jax.jit(draw)(rng)
    shapes = jax.eval_shape(draw, rng)
    fitted = fit(config.init, shapes["backbone"], backbone.params)
    # XLA leaves out what is not returned: weights that are there already.
    rest = jax.jit(lambda rng: draw(rng) | {"backbone": None})(rng)
    return rest | {"backbone": fitted}

  return Start(model, backbone.tokenizer, max_length, init_fn, backbone.card)


def check(config: Any):
  """Fails before any clip is made or read if the first weights do not fit.

  Args:
    config: the settings under `model`.

  Raises:
    ValueError: sizes that the weights are not for; names them.
    FileNotFoundError: no such folder or weights.
  """
  wanted = singularity.Config(**config.backbone)
  path = _find_path(config.init)
  stored = path and weights.load_config(path)
  if stored:
    with _told(config.init):
      sizes.check(stored, wanted)


@contextlib.contextmanager
def _told(init: str):
  """Adds where the weights are from to what is wrong with them."""
  try:
    yield
  except ValueError as e:
    raise ValueError(
      f"model.init={init}: {e}; these are fields of config.model.backbone"
    ) from e


def find_weights(config: Any, texts: list[str]) -> weights.Backbone:
  """The first weights of a backbone, for the sizes in the settings.

  Args:
    config: the settings under `model`, of which `init` and `backbone` are read;
      see `make_start`.
    texts: what the run reads, for the vocabulary of 'scratch'.

  Returns:
    The weights (None from scratch), the tokenizer and a card.

  Raises:
    ValueError: weights or a tokenizer that do not fit the sizes.
    FileNotFoundError: no such folder or weights.
  """
  wanted = singularity.Config(**config.backbone)
  backbone = _find_backbone(config, texts, wanted)
  if backbone.config is not None:
    with _told(config.init):
      fitted = convert.fit(backbone.params, backbone.config, wanted)
    backbone = backbone._replace(params=fitted)
  if backbone.tokenizer.vocab_size > wanted.vocab_size:
    raise ValueError(
      f"the tokenizer has {backbone.tokenizer.vocab_size} pieces, "
      f"model.backbone.vocab_size is {wanted.vocab_size}"
    )
  return backbone


def fit(init: str, params: Any, stored: dict[str, Any] | None) -> Any:
  """The weights in the shape of a model's `params`; these where there are none.

  Args:
    init: where the weights are from, `model.init`.
    params: random parameters of the backbone, or their shapes.
    stored: what `find_weights` found.

  Raises:
    ValueError: they do not fit; lists all differences.
  """
  if stored is None:
    return params
  return trees.fit(params, stored, f"model.init={init}")


def _find_backbone(config, texts, backbone_config) -> weights.Backbone:
  card = {"init": config.init}
  if config.init == "scratch":
    known = text_data.corpus(human_clips.TEMPLATES, human_clips.NOUNS)
    tokenizer = text.Tokenizer.train(
      known + texts, vocab_size=backbone_config.vocab_size
    )
    return weights.Backbone(None, None, tokenizer, card)
  found = weights.load(_find_path(config.init))
  return found._replace(card=card | found.card)


def _find_path(init: str) -> pathlib.Path | None:
  """The folder or file that `model.init` names; None for 'scratch'."""
  if init == "scratch":
    return None
  if init == _SHIPPED:
    return weights.shipped_backbone()
  path = pathlib.Path(init).expanduser()
  if path.suffix != ".safetensors" and not path.is_dir():
    raise FileNotFoundError(
      f"model.init: {init!r} is not a folder; known besides folders: "
      f"scratch, {_SHIPPED}, *.safetensors"
    )
  return path

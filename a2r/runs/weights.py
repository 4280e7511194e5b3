"""The network of a run and where its weights start from.

They are drawn ('scratch'), or read from a file, a run, or an exported reward;
what launch.convert writes is a folder with such a file.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from a2r.core import checks, text, trees
from a2r.models import adapt2reward as net
from a2r.models import convert, pretrained
from a2r.models.convert import sizes
from a2r.models.convert.files import Source
from a2r.models.singularity import singularity
from a2r.sim.humans import human_clips
from data import text as text_data

_MIN_LENGTH, _MAX_LENGTH = 2, 32  # Of texts, [CLS] included.


@dataclasses.dataclass(frozen=True)
class Model:
  """The network of a run: what a config has under `model`.

  Attributes:
    init: where its weights start from: 'scratch', 'small_backbone' (which ships
      with the project), a .safetensors file, or a folder: a run, an exported
      reward, or a conversion. Pictures may have another size than the weights
      are for, clips another number of frames.
    backbone: its sizes.
    num_failure_prompts: of a task.
    failure_prompt_length: in tokens.
    domain_prompt_length: the same.
  """

  init: str
  backbone: singularity.Config
  num_failure_prompts: int = 0
  failure_prompt_length: int = 0
  domain_prompt_length: int = 0

  @property
  def max_length(self) -> int:
    """Tokens of the longest text, [CLS] included."""
    prompts = self.failure_prompt_length + self.domain_prompt_length
    return min(_MAX_LENGTH, self.backbone.max_positions - prompts)

  @property
  def path(self) -> pathlib.Path | None:
    """Where the first weights are, None from scratch.

    Raises:
      FileNotFoundError: no such folder.
    """
    if self.init == "scratch":
      return None
    if self.init == pretrained.SHIPPED:
      return pretrained.shipped()
    path = checks.path(self.init) if self.init else None
    if not path or not (path.suffix == ".safetensors" or path.is_dir()):
      raise FileNotFoundError(
        f"model.init: {self.init!r} is not a folder; known besides folders: "
        f"scratch, {pretrained.SHIPPED}, *.safetensors"
      )
    return path


def read_model(config: Any, **changes: Any) -> Model:
  """Returns the network that a config has under `model`.

  Args:
    config: what it has there, a mapping.
    **changes: other values of its keys.

  Raises:
    ValueError: sizes that the first weights are not for; names them.
    FileNotFoundError: no such folder or weights.
  """
  fields = dict(config) | changes
  fields["backbone"] = singularity.Config(**fields["backbone"])
  model = Model(**fields)
  if model.max_length < _MIN_LENGTH:
    raise ValueError(
      f"model.backbone.max_positions={model.backbone.max_positions} leaves no "
      f"room for a text beside the {model.failure_prompt_length} and "
      f"{model.domain_prompt_length} tokens of failure_prompt_length and "
      "domain_prompt_length"
    )
  if model.path is None:
    _train_tokenizer(model)
  stored = model.path and pretrained.read_config(model.path)
  if stored:
    with _explained(model):
      sizes.check(stored, model.backbone)
  return model


def _train_tokenizer(model: Model, texts: Sequence[str] = ()) -> text.Tokenizer:
  """Learns the vocabulary of a network that starts from scratch."""
  known = text_data.corpus(human_clips.TEMPLATES, human_clips.NOUNS)
  vocab_size = model.backbone.vocab_size
  return text.Tokenizer.train(known + list(texts), vocab_size=vocab_size)


@contextlib.contextmanager
def _explained(model: Model):
  """Adds where the weights are from to what is wrong with them."""
  try:
    yield
  except ValueError as e:
    raise ValueError(
      f"model.init={model.init}: {e}; these are fields of config.model.backbone"
    ) from e


def load(model: Model, texts: Sequence[str]) -> Source:
  """Returns the first weights of a backbone, fitted to its sizes.

  Args:
    model: the network.
    texts: what the run reads besides human captions, for the vocabulary of
      'scratch'.

  Returns:
    The weights (None from scratch), the tokenizer and a card.

  Raises:
    ValueError: weights or a tokenizer that do not fit the sizes, or a text of
      which the tokenizer reads nothing.
    FileNotFoundError: no such folder or weights.
  """
  vocab_size = model.backbone.vocab_size
  if model.path is None:
    source = Source(None, None, {}, _train_tokenizer(model, texts))
  else:
    source = pretrained.read(model.path)
  params = source.params
  if source.config is not None:
    with _explained(model):
      params = convert.fit(params, source.config, model.backbone)
  if source.tokenizer.vocab_size > vocab_size:
    raise ValueError(
      f"the tokenizer has {source.tokenizer.vocab_size} pieces, "
      f"model.backbone.vocab_size is {vocab_size}"
    )
  source.tokenizer.check(texts)
  card = {"init": model.init} | source.card
  return source._replace(params=params, card=card)


def fit(source: Source, params: Any) -> Any:
  """Returns weights in the shape of `params`; these where there are none.

  Raises:
    ValueError: they do not fit; lists all differences.
  """
  if source.params is None:
    return params
  return trees.fit(params, source.params, f"model.init={source.card['init']}")


class Start(NamedTuple):
  """A network, its texts and its first weights.

  Attributes:
    model: the module.
    tokenizer: of its texts.
    max_length: longest text in tokens, [CLS] included, prompts not.
    init_fn: `rng -> params`. Failure prompts begin as the words "failing to",
      where the vocabulary has them: near to what stage 1 has taught.
    card: what is known of the backbone.
  """

  model: net.Adapt2Reward
  tokenizer: text.Tokenizer
  max_length: int
  init_fn: Callable[[jax.Array], Any]
  card: dict[str, Any]


def make_start(model: Model, texts: list[str], num_trained: int) -> Start:
  """Builds the network and finds its weights.

  Args:
    model: the network.
    texts: the run's instructions.
    num_trained: how many have robot clips.

  Raises:
    ValueError: sizes that do not fit the weights or the texts.
    FileNotFoundError: no such folder or weights.
  """
  module = net.Adapt2Reward(
    model.backbone,
    num_tasks=num_trained,
    num_failure_prompts=model.num_failure_prompts,
    failure_prompt_length=model.failure_prompt_length,
    domain_prompt_length=model.domain_prompt_length,
  )
  source = load(model, texts)
  max_length = model.max_length
  _, mask = source.tokenizer(texts, max_length + 1)
  if mask[:, max_length:].any():
    longest = texts[int(mask.sum(axis=1).argmax())]
    raise ValueError(
      f"the instruction {longest!r} is longer than {max_length} tokens; raise "
      "model.backbone.max_positions"
    )

  def draw(rng):
    return singularity.init_params(module, rng)

  def init_fn(rng):
    if source.params is None:
      return jax.jit(draw)(rng)
    fitted = fit(source, jax.eval_shape(draw, rng)["backbone"])
    # XLA leaves out what is not returned: weights that are there already.
    rest = jax.jit(lambda rng: draw(rng) | {"backbone": None})(rng)
    prompts = rest.get("prompts", {})
    if "failure" in prompts and source.tokenizer.has_word("failing"):
      num = min(prompts["failure"].shape[2], 2)
      ids, _ = source.tokenizer(["failing to"], 1 + num)
      words = fitted["embeddings"]["word"][ids[0, 1:]]
      prompts["failure"] = prompts["failure"].at[:, :, :num].add(words)
    return rest | {"backbone": fitted}

  return Start(module, source.tokenizer, max_length, init_fn, source.card)

"""What a method is: its learner, its row, and what a run gives it.

Letters: N clips, T frames, S picture size, I instructions of a run, M of them
with robot clips (the first ones).
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from a2r.core import text as text_lib
from a2r.learners import encoding
from a2r.models import adapt2reward as net
from a2r.models import saved, scorer

PyTree = Any
Batch = dict[str, Any]


class Learner(NamedTuple):
  """A method, as functions.

  init: `init(rng) -> (params, extra)`; on the host, once, for a fresh run.
  loss_fn: `loss_fn(params, extra, batch, rng, axis_name) -> (loss, metrics)`;
    pure. The batch is one device's part, the loss that of the global batch,
    rng is the step's and the same on every device. With `updates_extra` it
    returns `(loss, (metrics, extra))`, the extra equal on every device.
  on_epoch: `on_epoch(params, extra, epoch) -> (extra, metrics)`; on the host,
    unreplicated, after each epoch. It depends on its arguments alone, so that
    a resumed run repeats it. None: nothing happens.
  updates_extra: whether every step changes `extra`, such as running moments.
  """

  init: Callable[[jax.Array], tuple[PyTree, PyTree]]
  loss_fn: Callable[..., tuple[jax.Array, Any]]
  on_epoch: Callable[..., tuple[PyTree, dict[str, float]]] | None = None
  updates_extra: bool = False


@struct.dataclass
class TrainState:
  """Everything that changes while training: what a checkpoint holds.

  step: `[]` int32, the number of updates made.
  params: the model's parameters.
  opt_state: the optimizer's state.
  extra: what a method keeps beside its parameters, such as clusters.
  """

  step: jax.Array
  params: PyTree
  opt_state: PyTree
  extra: PyTree


def create_state(
  params: PyTree, extra: PyTree, optimizer: optax.GradientTransformation
) -> TrainState:
  """Returns the state before the first update."""
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    opt_state=optimizer.init(params),
    extra=extra,
  )


class Clips(Protocol):
  """What a method may ask of a run's clips; `a2r.runs.clips` answers.

  parts: of a batch, those of the method's that the run has.
  """

  parts: tuple[str, ...]

  def batches(
    self, step: int, labels: Sequence[str] | None = None
  ) -> Iterator[dict[str, Batch]]:
    """Yields the batches from `step` on, of the parts that the method has.

    Args:
      step: the first.
      labels: what `task` counts; the run's labels by default.

    Yields:
      For each part `frames` `[B, T, S, S, 3]` uint8, `task` and `record` `[B]`.
    """

  def frames(self, part: str) -> np.ndarray:
    """Returns all clips of a part, `[N, T, S, S, 3]` uint8."""

  def tasks(self, part: str) -> np.ndarray:
    """Returns the tasks `[N]` of all clips of a part, rows of the labels."""

  def demonstrations(self, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns `num` human clips of each label, none of them trained on.

    They are `[N, T, S, S, 3]` uint8 and their labels `[N]` str; a ValueError
    where no label has so many.
    """

  def read_labels(
    self, labels: Sequence[str]
  ) -> tuple[dict[str, str], list[str]]:
    """Returns how a method that knows labels, not texts, reads texts.

    Args:
      labels: those that it has human clips of.

    Returns:
      Text -> label, and one instruction for each label.

    Raises:
      ValueError: the run will be judged by a text of no such label.
    """


@dataclasses.dataclass(frozen=True)
class Setup:
  """What a run gives its method to begin with.

  Attributes:
    model: the network; its sizes give M.
    tokenizer: of its texts.
    max_length: longest text in tokens.
    init_fn: `rng -> params` of the model, the first weights.
    labels: I of them, what a clip's `task` counts.
    texts: the instruction of each label.
    num_trained: M.
    clips: the run's.
    temperature: divisor of the cosines in softmaxes.
    augmentation: how training clips are changed.
    micro_batch: clips that a device encodes at a time, see
      `core.batching.map_micro_batches`; 0 is all of them.
    seed: the run's.
    num_steps: length of the run.
    workdir: the run folder, for files of the method's own.
  """

  model: net.Adapt2Reward
  tokenizer: text_lib.Tokenizer
  max_length: int
  init_fn: Callable[[jax.Array], Any]
  labels: list[str]
  texts: list[str]
  num_trained: int
  clips: Clips
  temperature: float
  augmentation: encoding.Augmentation
  micro_batch: int = 0
  seed: int = 0
  num_steps: int = 0
  workdir: pathlib.Path = pathlib.Path()

  def init_backbone(self, rng: jax.Array) -> Any:
    """Returns the first weights of the backbone alone; consumes the key."""
    return self.init_fn(rng)["backbone"]

  def tokens(self) -> encoding.Tokens:
    """Returns the tokens of the run's texts, without padding that all have.

    Raises:
      ValueError: a text without words.
    """
    ids, mask = self.tokenizer(self.texts, self.max_length)
    empty = np.flatnonzero(mask.sum(axis=1) < 2).tolist()
    if empty:
      raise ValueError(f"instructions {empty} are empty")
    # Such padding changes nothing, and costs time.
    used = mask.any(axis=0).nonzero()[0].max() + 1
    return encoding.Tokens(ids[:, :used], mask[:, :used])


def check_weights(key: str, weights: Mapping[str, float], terms: Sequence[str]):
  """Raises a ValueError unless all terms have weights, >= 0 and not all 0."""
  values = weights.values()
  if sorted(weights) != sorted(terms) or min(values) < 0 or not any(values):
    raise ValueError(
      f"{key} are of {', '.join(terms)}, >= 0 and not all 0; got "
      f"{dict(weights)}"
    )


class Training(NamedTuple):
  """A method, ready for the loop.

  Attributes:
    learner: the method.
    spec: the method's own keys of reward.json.
    batches_fn: from a step to the batches from there on; None: the run's.
    optimizer: None: the run's.
    frozen: whether the features of clips are the same for all parameters.
  """

  learner: Learner
  spec: Mapping[str, Any]
  batches_fn: Callable[[int], Iterator[Any]] | None = None
  optimizer: optax.GradientTransformation | None = None
  frozen: bool = False


class Share(NamedTuple):
  """What a method takes of what a run has to spend.

  Attributes:
    batch: clips of a step, by part.
    steps: its steps for each of the run's.
    human: what it changes in `data.human`.
    needs: parts that it cannot do without, and what to set to do so.
    notes: what the user should know, one line each.
  """

  batch: Mapping[str, int]
  steps: int = 1
  human: Mapping[str, Any] = {}
  needs: Mapping[str, str] = {}
  notes: tuple[str, ...] = ()


def _share(settings: Any, batch: dict[str, int], source: str) -> Share:
  del settings, source
  return Share(batch)


@dataclasses.dataclass(frozen=True)
class Method:
  """A row of `registry.METHODS`: all that the project knows of a method.

  name: in settings and run folders.
  label: what tables and figures call it.
  color: of its bars and lines; those of all methods can be told apart by all
    kinds of color vision.
  parts: the parts of a batch that it looks at, where a run has them.
  settings: a frozen dataclass, made of the config under `config_key`.
  make: `make(setup, settings) -> Training`.
  make_scorer: `make_scorer(run) -> Scorer` of a run, in training or finished.
  scores_by_extra: whether that reads what is kept beside the parameters.
  share: `share(settings, batch, source) -> Share`, of the batch and the
    `data.human.source` of a run; everything as it is by default.
  config_key: where the config has its settings; under its name by default.
  prompts: whether its model has prompts.
  """

  name: str
  label: str
  color: str
  parts: tuple[str, ...]
  settings: Callable[..., Any]
  make: Callable[[Setup, Any], Training]
  make_scorer: Callable[[saved.Run], scorer.Scorer]
  share: Callable[[Any, dict[str, int], str], Share] = _share
  config_key: str = ""
  prompts: bool = False
  scores_by_extra: bool = False

  def __post_init__(self):
    if not self.config_key:
      object.__setattr__(self, "config_key", self.name)

"""Training clips and texts through the encoders, the same for every method.

Letters: B clips, T frames, H W picture, I texts, L tokens, E feature width.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import batching, checks, images, parallel
from a2r.core import rng as rng_lib
from a2r.core import text as text_lib
from a2r.models import adapt2reward as net
from a2r.models import augmentation
from a2r.models.singularity import singularity

AUGMENTATIONS = ("crop_color", "published")


class Tokens(NamedTuple):
  """Tokens of texts.

  Attributes:
    ids: `[I, L]` int32.
    mask: `[I, L]` int32, 1 for tokens, 0 for padding.
  """

  ids: np.ndarray
  mask: np.ndarray


@dataclasses.dataclass(frozen=True)
class Augment:
  """Changes a training clip; equal ones are one static argument.

  Attributes:
    crop: strength of `models.augmentation.augment`.
    color: the same.
    warp: the same.
    may_mirror: `[I]`, whether a clip of an instruction still shows it when left
      is right; half of these are mirrored. None: none is.
    is_published: whether clips are cropped as those of the published models
      were; `crop`, `color` and `warp` are ignored.
  """

  crop: float
  color: float
  warp: float = 0.0
  may_mirror: tuple[bool, ...] | None = None
  is_published: bool = False

  def __call__(
    self, rng: jax.Array, clip: jax.Array, task: jax.Array
  ) -> jax.Array:
    """Returns a clip `[T, H, W, 3]` uint8 as the network takes it.

    The key is consumed; the task is a row of the run's instructions.
    """
    clip, rng_flip = clip[None], None
    if self.may_mirror is not None:
      rng, rng_flip = jax.random.split(rng)
    if self.is_published:
      size = clip.shape[2]
      levels = augmentation.random_resized_crop(rng, clip, size=size)
    else:
      levels = augmentation.augment(
        rng, clip, crop=self.crop, color=self.color, warp=self.warp
      )
    if self.may_mirror is not None:
      allowed = jnp.asarray(np.array(self.may_mirror))[task][None]
      levels, _ = augmentation.flip(rng_flip, levels, allowed)
    return images.normalize(levels[0])


@dataclasses.dataclass(frozen=True)
class Augmentation:
  """How a run changes its training clips, whatever they show.

  Attributes:
    kind: one of `AUGMENTATIONS`; 'published' has no crop, color and warp, and
      mirrors.
    crop: see `Augment`.
    color: the same.
    warp: the same.
    mirror: whether clips are mirrored whose instruction says no direction.
  """

  kind: str
  crop: float
  color: float
  warp: float = 0.0
  mirror: bool = False

  def __post_init__(self):
    checks.one_of("train.augment", self.kind, AUGMENTATIONS)

  def of_texts(self, texts: Sequence[str]) -> Augment:
    """Returns the change of clips whose `task` counts these texts."""
    may_mirror, is_published = None, self.kind == "published"
    if self.mirror or is_published:
      may_mirror = tuple(not text_lib.has_direction(text) for text in texts)
    return Augment(self.crop, self.color, self.warp, may_mirror, is_published)


def encode_clips(
  model: net.Adapt2Reward,
  params: Any,
  batch: dict[str, dict[str, jax.Array]],
  rng: jax.Array,
  axis_name: str | None,
  *,
  augment: Callable[..., jax.Array],
  micro_batch: int = 0,
) -> dict[str, jax.Array]:
  """Returns `[B, E]` features of each group's clips, by one encoder call.

  Args:
    model: the module.
    params: its parameters.
    batch: groups of clips, each with `frames` `[B, T, H, W, 3]` uint8 and
      `task` `[B]`; one device's part.
    rng: the step's key; consumed.
    axis_name: the devices' axis, or None.
    augment: `(rng, clip, task) -> clip` for the network, unbatched.
    micro_batch: clips that a device encodes at a time, see
      `core.batching.map_micro_batches`; 0 is all of them.
  """
  rng_augment, rng_dropout = jax.random.split(rng)
  keys, sizes = [], []
  for index, part in enumerate(batch.values()):
    sizes.append(len(part["frames"]))
    rng_group = jax.random.fold_in(rng_augment, index)
    keys.append(rng_lib.row_keys(rng_group, sizes[-1], axis_name))
  frames = jnp.concatenate([part["frames"] for part in batch.values()])
  tasks = jnp.concatenate([part["task"] for part in batch.values()])
  rng_dropout = jax.random.fold_in(rng_dropout, parallel.axis_index(axis_name))

  def encode(part, keys, frames, tasks):
    return model.apply(
      {"params": params},
      jax.vmap(augment)(keys, frames, tasks),
      deterministic=False,
      method="video",
      rngs={"dropout": jax.random.fold_in(rng_dropout, part)},
    )

  features = batching.map_micro_batches(
    encode, micro_batch, jnp.concatenate(keys), frames, tasks
  )
  ends = np.cumsum(sizes)[:-1]
  return dict(zip(batch, jnp.split(features, ends), strict=True))


def plain_model(config: singularity.Config) -> net.Adapt2Reward:
  """Returns the backbone alone: no prompts, its params are `{'backbone'}`."""
  return net.Adapt2Reward(
    config,
    num_tasks=0,
    num_failure_prompts=0,
    failure_prompt_length=0,
    domain_prompt_length=0,
  )


def encode_texts(
  model: net.Adapt2Reward, params: Any, tokens: Tokens, rng: jax.Array
) -> jax.Array:
  """Returns `[I, E]` features of texts in training, read as they stand.

  The model is a `plain_model`; the key, for dropout, is consumed.
  """
  return model.apply(
    {"params": params},
    *tokens,
    np.full(len(tokens.ids), net.HUMAN, np.int32),
    deterministic=False,
    method="text",
    rngs={"dropout": rng},
  )

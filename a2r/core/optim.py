"""The optimizer: AdamW with warm-up, a cosine and clipped gradients."""

from typing import Any

import jax
import optax

# Parts of a parameter's path that keep it from being decayed.
_NO_DECAY = ("prompts",)


def make_schedule(
  *, learning_rate: float, warmup_steps: int, num_steps: int, floor: float
) -> optax.Schedule:
  """Returns step -> learning rate.

  A straight line from `floor * learning_rate` to `learning_rate` over
  `warmup_steps`, then half a cosine back to `floor * learning_rate` at
  `num_steps`.

  Args:
    learning_rate: the peak.
    warmup_steps: length of the straight line; 0 starts at the peak.
    num_steps: length of the run.
    floor: the lowest learning rate as a share of the peak.

  Raises:
    ValueError: the warm-up is as long as the run.
  """
  if warmup_steps >= num_steps:
    raise ValueError(
      f"warmup_steps={warmup_steps} must be below num_steps={num_steps}"
    )
  return optax.warmup_cosine_decay_schedule(
    init_value=floor * learning_rate,
    peak_value=learning_rate,
    warmup_steps=warmup_steps,
    decay_steps=num_steps,
    end_value=floor * learning_rate,
  )


def make_optimizer(
  *,
  learning_rate: float,
  warmup_steps: int,
  num_steps: int,
  weight_decay: float,
  clip_norm: float | None,
  b1: float = 0.9,
  b2: float = 0.999,
  floor: float = 0.0,
) -> optax.GradientTransformation:
  """Returns AdamW (Loshchilov and Hutter, https://arxiv.org/abs/1711.05101).

  Args:
    learning_rate: the schedule's peak, see `make_schedule`.
    warmup_steps: see `make_schedule`.
    num_steps: see `make_schedule`.
    weight_decay: decay of the parameters that `decay_mask` marks.
    clip_norm: largest global norm of the gradients; None leaves them alone.
    b1: decay of the gradient's mean.
    b2: decay of the squared gradient's mean.
    floor: see `make_schedule`.
  """
  schedule = make_schedule(
    learning_rate=learning_rate,
    warmup_steps=warmup_steps,
    num_steps=num_steps,
    floor=floor,
  )
  adamw = optax.adamw(
    schedule, b1=b1, b2=b2, weight_decay=weight_decay, mask=decay_mask
  )
  if clip_norm is None:
    return adamw
  return optax.chain(optax.clip_by_global_norm(clip_norm), adamw)


def decay_mask(params: Any) -> Any:
  """Returns True for the parameters that weight decay may shrink.

  These have more than one axis and are no biases (attention biases have two).
  Failure and domain prompts are left out: they are inputs rather than weights,
  and pulling them to zero would pull all prompts of a task together.

  Args:
    params: tree of arrays.

  Returns:
    A tree of bools of the same structure.
  """

  def decays(path, param):
    names = [str(getattr(key, "key", key)) for key in path]
    return (
      param.ndim > 1
      and not names[-1].endswith("bias")
      and not any(name in _NO_DECAY for name in names)
    )

  return jax.tree_util.tree_map_with_path(decays, params)

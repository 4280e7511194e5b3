"""The optimizer: AdamW or Muon, a schedule with warm-up, clipped gradients."""

from typing import Any

import jax
import optax
from optax import contrib

from a2r.core import checks

# Muon's updates get the size of AdamW's: one learning rate does for both.
_MUON_RMS = 0.2
# Parts of a parameter's path that keep it from being decayed.
_NO_DECAY = ("prompts",)
# Those of the encoder of clips, up to the projection into the shared space.
_VISION = {"stem", "vision", "vision_layernorm", "temporal", "pooler"}


def make_schedule(
  *,
  learning_rate: float,
  warmup_steps: int,
  num_steps: int,
  floor: float = 0.0,
  decay_steps: int | None = None,
) -> optax.Schedule:
  """Returns step -> learning rate.

  A straight line from `floor * learning_rate` to `learning_rate` over
  `warmup_steps`, then half a cosine back to `floor * learning_rate` at
  `num_steps`. With `decay_steps` the rate stays at the peak and falls in a
  straight line over the last `decay_steps`: up to there a run is the same
  whatever its length, so that a running one can be made longer or shorter.

  Args:
    learning_rate: the peak.
    warmup_steps: length of the first line; 0 starts at the peak.
    num_steps: length of the run.
    floor: the lowest learning rate as a share of the peak.
    decay_steps: length of the last line, or None for the cosine.

  Raises:
    ValueError: the warm-up, with the decay, is as long as the run.
  """
  if warmup_steps + (decay_steps or 0) >= num_steps:
    decay = f" and decay_steps={decay_steps}" if decay_steps else ""
    raise ValueError(
      f"warmup_steps={warmup_steps}{decay} must be below num_steps={num_steps}"
    )
  if decay_steps:
    low = floor * learning_rate
    return optax.join_schedules(
      [
        optax.linear_schedule(low, learning_rate, warmup_steps),
        optax.constant_schedule(learning_rate),
        optax.linear_schedule(learning_rate, low, decay_steps),
      ],
      [warmup_steps, num_steps - decay_steps],
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
  weight_decay: float,
  clip_norm: float | None,
  b1: float = 0.9,
  b2: float = 0.999,
  rule: str = "adamw",
  vision_rate: float = 1.0,
  **schedule,
) -> optax.GradientTransformation:
  """Returns AdamW (https://arxiv.org/abs/1711.05101) or Muon.

  Muon (Jordan, 2024; Liu et al., https://arxiv.org/abs/2502.16982)
  orthogonalizes the updates of kernels; all else, embeddings and positions
  too, is left to AdamW.

  'adamw' decays all that `decay_mask` marks; 'muon', of that, what it
  orthogonalizes: embeddings and positions keep their size.

  Args:
    weight_decay: decay of the parameters that `decay_mask` marks; with 'muon'
      of kernels alone.
    clip_norm: largest global norm of the gradients; None leaves them alone.
    b1: decay of the gradient's mean.
    b2: decay of the squared gradient's mean.
    rule: 'adamw' or 'muon'; with 'muon', `b1` and `b2` are those of AdamW.
    vision_rate: learning rate of the encoder of clips, as a share of that of
      all else; 0 freezes it.
    **schedule: of the learning rate, as for `make_schedule`.

  Raises:
    ValueError: an unknown rule, or a schedule that makes no sense.
  """
  checks.one_of("rule", rule, ("adamw", "muon"))
  learning_rate = make_schedule(**schedule)
  if rule == "muon":
    update = contrib.muon(
      learning_rate,
      weight_decay=weight_decay,
      weight_decay_mask=decay_mask,
      adam_b1=b1,
      adam_b2=b2,
      adam_weight_decay=0.0,
      muon_weight_dimension_numbers=_matrices,
      consistent_rms=_MUON_RMS,
    )
  else:
    update = optax.adamw(
      learning_rate, b1=b1, b2=b2, weight_decay=weight_decay, mask=decay_mask
    )
  steps = [update]
  if clip_norm is not None:
    steps.insert(0, optax.clip_by_global_norm(clip_norm))
  if vision_rate != 1:
    steps.append(optax.masked(optax.scale(vision_rate), _vision_mask))
  return optax.chain(*steps) if len(steps) > 1 else update


def _vision_mask(params: Any) -> Any:
  """Which parameters encode clips, a tree of bools."""
  return jax.tree_util.tree_map_with_path(
    lambda path, _: any(getattr(key, "key", key) in _VISION for key in path),
    params,
  )


def _matrices(params: Any) -> Any:
  """How kernels are read as matrices, `[all other axes, last axis]`."""

  def numbers(path, param):
    if path[-1].key != "kernel" or param.ndim < 2:
      return None
    return contrib.MuonDimensionNumbers(
      reduction_axis=tuple(range(param.ndim - 1)), output_axis=param.ndim - 1
    )

  return jax.tree_util.tree_map_with_path(numbers, params)


def decay_mask(params: Any) -> Any:
  """Returns a tree of bools: which parameters weight decay may shrink.

  These have more than one axis and are no biases (attention biases have two).
  Failure and domain prompts are left out: they are inputs rather than weights,
  and pulling them to zero would pull all prompts of a task together.
  """

  def decays(path, param):
    names = [str(getattr(key, "key", key)) for key in path]
    return (
      param.ndim > 1
      and not names[-1].endswith("bias")
      and not any(name in _NO_DECAY for name in names)
    )

  return jax.tree_util.tree_map_with_path(decays, params)

"""What a method is, and the update that all methods share."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from a2r.core import parallel
from a2r.core import rng as rng_lib
from a2r.learners import state as state_lib
from a2r.models import scorer

PyTree = Any


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


@dataclasses.dataclass(frozen=True)
class Method:
  """A row of `registry.METHODS`: what the project knows of a method.

  name: in settings and run folders.
  label: what tables and figures call it.
  color: of its bars and lines; those of all methods can be told apart by all
    kinds of color vision.
  parts: the parts of a batch that it looks at, where a run has them.
  load: `load(folder, checkpoint) -> Scorer` of a run folder, the checkpoint
    'best' or 'newest'.
  """

  name: str
  label: str
  color: str
  parts: tuple[str, ...]
  load: Callable[[pathlib.Path, str], scorer.Scorer]


def make_step_fn(
  loss_fn: Callable[..., Any],
  optimizer: optax.GradientTransformation,
  seed: int,
  axis_name: str | None = parallel.AXIS,
  *,
  updates_extra: bool = False,
) -> Callable[..., Any]:
  """Returns one device's `step_fn(state, batch) -> (state, metrics)`.

  Args:
    loss_fn: a learner's.
    optimizer: makes updates from gradients.
    seed: the run's, a number or an array `[]` of it; step n draws from
      `rng.step_key(seed, n)`.
    axis_name: the devices' axis, or None for one device.
    updates_extra: the learner's.

  Returns:
    A function for `parallel.pmap_step` (or, without an axis, for `jax.jit`).
    Its metrics are the learner's and `loss` and `grad_norm`, averaged over the
    devices.
  """
  grad_fn = jax.value_and_grad(loss_fn, has_aux=True)

  def step_fn(state, batch):
    rng = rng_lib.step_key(seed, state.step)
    (loss, metrics), grads = grad_fn(
      state.params, state.extra, batch, rng, axis_name
    )
    metrics, extra = metrics if updates_extra else (metrics, state.extra)
    grads = parallel.pmean(grads, axis_name)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    metrics = parallel.pmean({"loss": loss, **metrics}, axis_name)
    metrics["grad_norm"] = optax.global_norm(grads)
    state = state_lib.TrainState(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      opt_state=opt_state,
      extra=extra,
    )
    return state, metrics

  return step_fn


def make_parallel_step(
  learner: Learner,
  optimizer: optax.GradientTransformation,
  seed: int,
  num_devices: int | None = None,
) -> Callable[..., Any]:
  """Returns `step(state, batch) -> (state, metrics)` on all devices.

  The seed is data to the program, so that runs that differ in it alone find the
  compiled one in the cache.

  Args:
    learner: the method.
    optimizer: makes updates from gradients.
    seed: the run's.
    num_devices: devices of this host to use; None: all.
  """

  def step_fn(state, batch, seed):
    step_fn = make_step_fn(
      learner.loss_fn, optimizer, seed, updates_extra=learner.updates_extra
    )
    return step_fn(state, batch)

  parallel_fn = parallel.pmap_step(step_fn)
  # The 32 bits that a key is made of, of a seed of any size.
  seeds = parallel.replicate(np.uint32(seed & 0xFFFFFFFF), num_devices)
  return lambda state, batch: parallel_fn(state, batch, seeds)

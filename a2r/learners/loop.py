"""The training loop: one for all methods, and it survives being killed.

Batches and random keys depend on the seed and the step alone, hooks on their
arguments alone, and a checkpoint holds all the rest. So a run that was killed
at any moment and started again ends with the same bits as one that never
stopped, and its metrics.jsonl has the same rows (but for the speeds).
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import chex
import jax
import numpy as np
import optax

from a2r.core import (
  checkpoint,
  checks,
  hosts,
  parallel,
  progress,
  signals,
  writer,
)
from a2r.core import rng as rng_lib
from a2r.learners import base

# The key of the initialization: a step that no run reaches.
INIT = 2**32 - 1
# Steps that may be under way at once: one runs, one waits.
_IN_FLIGHT = 2


@dataclasses.dataclass(frozen=True)
class Clocks:
  """When what happens, in steps.

  Attributes:
    num_steps: length of the run; 0 keeps what it starts from.
    epoch_steps: between the learner's epoch hooks, each followed by the
      validation and a checkpoint; the last step is validated too.
    log_every: between rows of metrics; a row holds means since the last.
    checkpoint_every: between further checkpoints.
  """

  num_steps: int
  epoch_steps: int
  log_every: int
  checkpoint_every: int

  def __post_init__(self):
    for name, steps in dataclasses.asdict(self).items():
      checks.at_least(f"train.{name}", steps, int(name != "num_steps"))


def read_clocks(config: Mapping[str, int], steps: int = 1) -> Clocks:
  """Returns the clocks that a config has under `train`.

  Args:
    config: what it has there.
    steps: of the method, for each of these.
  """
  fields = dataclasses.fields(Clocks)
  return Clocks(**{f.name: config[f.name] * steps for f in fields})


def train(
  learner: base.Learner,
  optimizer: optax.GradientTransformation,
  batches_fn: Callable[[int], Iterator[Any]],
  clocks: Clocks,
  *,
  workdir: str,
  seed: int,
  validate_fn: Callable[[Any, Any], Mapping[str, float]] | None = None,
  best_metric: str | None = None,
  items: Mapping[str, Any] | None = None,
) -> base.TrainState:
  """Trains to the last step, from the newest checkpoint where there is one.

  Args:
    learner: the method.
    optimizer: makes updates from gradients.
    batches_fn: `batches_fn(start_step)` gives this host's batches from that
      step on; pure in the step, so that a resumed run sees the same ones.
    clocks: when to log, to validate and to save.
    workdir: the run folder: checkpoints/, metrics.jsonl and events/; of several
      processes, that of the writer alone.
    seed: of all random keys.
    validate_fn: `validate_fn(params, extra) -> metrics`, deterministic.
    best_metric: the validation metric that the best checkpoint has most of.
    items: name -> JSON value, stored in each checkpoint.

  Returns:
    The final state, unreplicated, of numpy arrays.

  Raises:
    signals.StopRequested: the process was asked to stop (SIGTERM, Ctrl-C): the
      step was ended and saved, and the same call goes on from there.
    FloatingPointError: a loss term is not finite; names the step and the term.
    ValueError: the checkpoint does not fit the learner.
  """
  num_steps = clocks.num_steps
  should_log = _Clock(clocks.log_every, last=num_steps)
  should_end_epoch = _Clock(clocks.epoch_steps)
  should_save = _Clock(clocks.checkpoint_every, last=num_steps)
  with contextlib.ExitStack() as stack:
    # Restore.
    checkpoints = stack.enter_context(checkpoint.Checkpoints(workdir))
    state, window = _restore_or_init(learner, optimizer, seed, checkpoints)
    # Before this line there is nothing to save: being stopped may interrupt.
    stop_requested = stack.enter_context(signals.deferring())
    state = hosts.broadcast(state)
    start_step = step = int(state.step)
    report = stack.enter_context(_Report(workdir, start_step, num_steps))
    timer = progress.Timer()
    state = parallel.replicate(state)
    # The 32 bits that a key is made of, of a seed of any size.
    seeds = parallel.replicate(np.uint32(seed & 0xFFFFFFFF))
    step_fn = parallel.pmap_step(make_step_fn(learner, optimizer))
    batches = batches_fn(start_step) if start_step < num_steps else iter(())
    stop = any(hosts.exchange(stop_requested()))

    def keep(step: int, *, ends: bool):
      """Saves the state; at the end of an epoch or of the run validates it."""
      score = None
      if ends and validate_fn is not None and hosts.is_writer():
        host = parallel.unreplicate(state)
        metrics = dict(validate_fn(host.params, host.extra))
        report(step, metrics)
        if best_metric is not None:
          checks.one_of("best metric", best_metric, metrics, KeyError)
          score = metrics[best_metric]
      report.flush()
      _save(checkpoints, state, window, items, score)

    if num_steps == 0:
      keep(step, ends=True)
    while step < num_steps and not stop:
      # Step.
      with timer.waiting():
        batch = next(batches)
      state, metrics = step_fn(state, parallel.shard(batch), seeds)
      step += 1
      window.add(step, metrics)
      report.progress.advance()
      if step == start_step + 1:
        window.fetch()
        report.progress.say(f"first step after {timer.restart():.1f} s")

      stop = any(hosts.exchange(stop_requested()))
      if should_log(step):
        report(step, window.mean() | timer.rates())
      with timer.paused():
        # Epoch.
        if should_end_epoch(step):
          epoch = step // clocks.epoch_steps
          state, metrics = _end_epoch(learner, state, epoch)
          report(step, metrics)
        # Validate and save.
        ends = should_end_epoch(step) or step == num_steps
        if ends or stop or should_save(step):
          keep(step, ends=ends)

    checkpoints.wait()
    if step < num_steps:
      raise signals.StopRequested(f"after step {step} of {num_steps}")
    return parallel.unreplicate(state)


def make_step_fn(
  learner: base.Learner,
  optimizer: optax.GradientTransformation,
  axis_name: str | None = parallel.AXIS,
) -> Callable[..., Any]:
  """Returns one device's `step_fn(state, batch, seed) -> (state, metrics)`.

  The seed, a number or an array `[]`, is data to the program, so that runs that
  differ in it alone find the compiled one in the cache; step n draws from
  `rng.step_key(seed, n)`.

  Args:
    learner: the method.
    optimizer: makes updates from gradients.
    axis_name: the devices' axis, or None for one device.

  Returns:
    A function for `parallel.pmap_step` (or, without an axis, for `jax.jit`).
    Its metrics are the learner's and `loss` and `grad_norm`, averaged over the
    devices.
  """
  grad_fn = jax.value_and_grad(learner.loss_fn, has_aux=True)

  def step_fn(state, batch, seed):
    rng = rng_lib.step_key(seed, state.step)
    (loss, metrics), grads = grad_fn(
      state.params, state.extra, batch, rng, axis_name
    )
    extra = state.extra
    if learner.updates_extra:
      metrics, extra = metrics
    grads = parallel.pmean(grads, axis_name)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    metrics = parallel.pmean({"loss": loss, **metrics}, axis_name)
    metrics["grad_norm"] = optax.tree.norm(grads)
    state = base.TrainState(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      opt_state=opt_state,
      extra=extra,
    )
    return state, metrics

  return step_fn


def is_finished(workdir: str | pathlib.Path, num_steps: int) -> bool:
  """Whether the run has a checkpoint of its last step or a later one.

  Of several processes, the writer's answer is that of all.
  """
  try:
    newest = checkpoint.load(workdir, which="newest", parts=()).step
  except FileNotFoundError:
    newest = -1
  return hosts.exchange(newest >= num_steps)[0]


class _Clock(NamedTuple):
  """Whether it is time: every so many steps, and at the last one if named."""

  every: int
  last: int | None = None

  def __call__(self, step: int) -> bool:
    return step % self.every == 0 or step == self.last


class _Window:
  """Metrics of the steps since the last row, on the device until asked for."""

  def __init__(self, values: Mapping[str, list[float]] | None = None):
    """Starts with `values`, those of the steps before a resumed run's first."""
    self._values = {name: list(v) for name, v in (values or {}).items()}
    self._pending = []

  def add(self, step: int, metrics: Mapping[str, jax.Array]):
    """Takes a step's metrics, replicated; waits if too many are under way."""
    self._pending.append((step, metrics))
    if len(self._pending) >= _IN_FLIGHT:
      jax.block_until_ready(self._pending[-_IN_FLIGHT][1])

  def fetch(self) -> dict[str, list[float]]:
    """Returns all values; stops the run at one that is not finite."""
    for step, metrics in self._pending:
      values = jax.tree.map(float, parallel.unreplicate(metrics))
      faults = {k: v for k, v in values.items() if not np.isfinite(v)}
      if faults:
        named = ", ".join(f"{name} = {v}" for name, v in faults.items())
        raise FloatingPointError(
          f"step {step}: {named}. Training cannot go on; the last checkpoint "
          "is from before. Look at the loss terms in metrics.jsonl; a lower "
          "optim.learning_rate is the usual cure"
        )
      for name, value in values.items():
        self._values.setdefault(name, []).append(value)
    self._pending = []
    return self._values

  def mean(self) -> dict[str, float]:
    """Returns the means, and starts a new window."""
    values, self._values = self.fetch(), {}
    return {name: float(np.mean(v)) for name, v in values.items()}


class _Report:
  """Where numbers go: the rows on disk and what is shown."""

  def __init__(self, workdir: str, start_step: int, num_steps: int):
    self._rows = None
    if hosts.is_writer():
      self._rows = writer.Writer(workdir, start_step=start_step)
    self.progress = progress.Progress(num_steps, start=start_step)

  def __enter__(self) -> "_Report":
    return self

  def __exit__(self, *exc_info):
    self.progress.close()
    if self._rows is not None:
      self._rows.close()

  def __call__(self, step: int, metrics: Mapping[str, float]):
    if metrics and self._rows is not None:
      self._rows.write(step, metrics)
      self.progress.report(metrics)

  def flush(self):
    """Returns when the rows are safe: no checkpoint may be ahead of them."""
    if self._rows is not None:
      self._rows.flush()


def _restore_or_init(
  learner, optimizer, seed, checkpoints
) -> tuple[base.TrainState, _Window]:
  """The newest checkpoint's state and unwritten metrics, or a fresh start."""
  params, extra = learner.init(rng_lib.step_key(seed, INIT))
  state = base.create_state(params, extra, optimizer)
  newest = checkpoints.newest_step()
  if newest is None:
    return state, _Window()
  saved = checkpoints.restore(newest, _parts(state), items=("window",))
  state = base.TrainState(step=np.asarray(saved.step, np.int32), **saved.parts)
  return state, _Window(saved.items["window"])


def _parts(state: base.TrainState) -> dict[str, Any]:
  """The state as the parts of a checkpoint."""
  return {k: getattr(state, k) for k in ("params", "opt_state", "extra")}


def _save(checkpoints, state, window, items, score):
  """Starts to save the replicated state; it is known to be finite."""
  if not hosts.is_writer():
    return
  items = dict(items or {}) | {"window": window.fetch()}
  state = parallel.unreplicate(state)
  checkpoints.save(int(state.step), _parts(state), items, score=score)


def _end_epoch(learner, state, epoch):
  """Runs the learner's epoch hook on the replicated state."""
  if learner.on_epoch is None:
    return state, {}
  host = parallel.unreplicate(state)
  extra, metrics = host.extra, {}
  if hosts.is_writer():
    extra, metrics = learner.on_epoch(host.params, host.extra, epoch)
    chex.assert_trees_all_equal_shapes_and_dtypes(extra, host.extra)
  state = state.replace(extra=parallel.replicate(hosts.broadcast(extra)))
  return state, {"epoch": epoch, **metrics}

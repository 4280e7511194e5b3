"""The training loop: one for all methods, and it survives being killed.

Batches and random keys depend on the seed and the step alone, hooks on their
arguments alone, and a checkpoint holds all the rest. So a run that was killed
at any moment and started again ends with the same bits as one that never
stopped, and its metrics.jsonl has the same rows (but for the speeds).
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.experimental import multihost_utils

from a2r.core import checkpoint, parallel, progress, signals, writer
from a2r.core import rng as rng_lib
from a2r.learners import base
from a2r.learners import state as state_lib

# The key of the initialization: a step that no run reaches.
INIT = 2**32 - 1
# Steps that may be under way at once: one runs, one waits.
_IN_FLIGHT = 2


class Result(NamedTuple):
  """How a run ended.

  Attributes:
    state: the unreplicated state, of numpy arrays.
    finished: False if the run was asked to stop before its last step.
  """

  state: state_lib.TrainState
  finished: bool


def train(
  learner: base.Learner,
  optimizer: optax.GradientTransformation,
  batches_fn: Callable[[int], Iterator[Any]],
  *,
  workdir: str,
  seed: int,
  num_steps: int,
  epoch_steps: int,
  log_every: int,
  checkpoint_every: int,
  validate_fn: Callable[[Any, Any], Mapping[str, float]] | None = None,
  best_metric: str | None = None,
  items: Mapping[str, Any] | None = None,
  num_devices: int | None = None,
) -> Result:
  """Trains to `num_steps`, from the newest checkpoint where there is one.

  Args:
    learner: the method.
    optimizer: makes updates from gradients.
    batches_fn: `batches_fn(start_step)` gives this host's batches from that
      step on; pure in the step, so that a resumed run sees the same ones.
    workdir: the run folder: checkpoints/, metrics.jsonl and events/.
    seed: of all random keys.
    num_steps: total number of steps.
    epoch_steps: steps between the learner's epoch hooks, each followed by the
      validation and a checkpoint; the last step is validated too.
    log_every: steps between rows of metrics; a row holds means since the last.
    checkpoint_every: steps between further checkpoints.
    validate_fn: `validate_fn(params, extra) -> metrics`, deterministic.
    best_metric: the validation metric that the best checkpoint has most of.
    items: name -> JSON value, stored in each checkpoint.
    num_devices: devices of this host to use; None: all.

  Returns:
    The final state, and whether the run is finished. It is not when the
    process was asked to stop (SIGTERM, Ctrl-C): then the step was ended and
    saved, and the same call goes on from there.

  Raises:
    FloatingPointError: a loss term is not finite; names the step and the term.
    ValueError: the checkpoint does not fit the learner.
  """
  with contextlib.ExitStack() as stack:
    checkpoints = stack.enter_context(checkpoint.Checkpoints(workdir))
    state, window = _restore_or_init(learner, optimizer, seed, checkpoints)
    start_step = step = int(state.step)
    report = stack.enter_context(_Report(workdir, start_step, num_steps))
    timer = progress.Timer()
    state = parallel.replicate(state, num_devices)
    step_fn = base.make_parallel_step(learner, optimizer, seed, num_devices)
    batches = batches_fn(start_step) if start_step < num_steps else iter(())
    # Before this line there is nothing to save: being stopped may interrupt.
    stop_requested = stack.enter_context(signals.deferring())

    while step < num_steps:
      with timer.waiting():
        batch = next(batches)
      state, metrics = step_fn(state, parallel.shard(batch, num_devices))
      step += 1
      window.add(step, metrics)
      report.progress.advance()
      if step == start_step + 1:
        window.fetch()
        report.progress.say(f"first step after {timer.restart():.1f} s")

      log = step % log_every == 0 or step == num_steps
      epoch = step % epoch_steps == 0
      stop = _agreed(stop_requested(), log)
      if log:
        report(step, window.mean() | timer.rates())
      with timer.paused():
        score = None
        if epoch:
          state, metrics = _end_epoch(learner, state, step // epoch_steps)
          report(step, metrics)
        if (epoch or step == num_steps) and validate_fn is not None:
          metrics = _validate(validate_fn, state)
          report(step, metrics)
          score = _score(metrics, best_metric)
        if epoch or stop or step % checkpoint_every == 0 or step == num_steps:
          report.flush()
          _save(checkpoints, state, window, items, score)
      if stop:
        break

    checkpoints.wait()
    return Result(parallel.unreplicate(state), finished=step >= num_steps)


def is_finished(workdir: str, num_steps: int) -> bool:
  """Whether the run has a checkpoint of its last step or a later one."""
  try:
    newest = checkpoint.load(workdir, which="newest", parts=()).step
  except FileNotFoundError:
    return False
  return newest >= num_steps


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
      values = {
        name: float(x) for name, x in parallel.unreplicate(metrics).items()
      }
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
    if jax.process_index() == 0:
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
  learner: base.Learner,
  optimizer: optax.GradientTransformation,
  seed: int,
  checkpoints: checkpoint.Checkpoints,
) -> tuple[state_lib.TrainState, _Window]:
  """The newest checkpoint's state and unwritten metrics, or a fresh start."""
  params, extra = learner.init(rng_lib.step_key(seed, INIT))
  state = state_lib.create(params, extra, optimizer)
  newest = checkpoints.newest_step()
  if newest is None:
    return state, _Window()
  saved = checkpoints.restore(newest, _parts(state), items=("window",))
  state = state_lib.TrainState(
    step=np.asarray(saved.step, np.int32), **saved.parts
  )
  return state, _Window(saved.items["window"])


def _parts(state: state_lib.TrainState) -> dict[str, Any]:
  """The state as the parts of a checkpoint."""
  return {
    "params": state.params,
    "opt_state": state.opt_state,
    "extra": state.extra,
  }


def _save(
  checkpoints: checkpoint.Checkpoints,
  state: state_lib.TrainState,
  window: _Window,
  items: Mapping[str, Any] | None,
  score: float | None,
):
  """Starts to save the replicated state; it is known to be finite."""
  items = dict(items or {}) | {"window": window.fetch()}
  state = parallel.unreplicate(state)
  checkpoints.save(int(state.step), _parts(state), items, score=score)


def _end_epoch(
  learner: base.Learner, state: state_lib.TrainState, epoch: int
) -> tuple[state_lib.TrainState, dict[str, float]]:
  """Runs the learner's epoch hook on the replicated state."""
  if learner.on_epoch is None:
    return state, {}
  host = parallel.unreplicate(state)
  extra, metrics = learner.on_epoch(host.params, host.extra, epoch)
  before = jax.tree.map(_signature, host.extra)
  after = jax.tree.map(_signature, extra)
  assert before == after, f"on_epoch changed extra: {before} to {after}"
  num = jax.tree.leaves(state.step)[0].shape[0]
  extra = parallel.replicate(extra, num)
  return state.replace(extra=extra), {"epoch": epoch, **metrics}


def _signature(x: Any) -> tuple:
  return np.shape(x), np.asarray(x).dtype.name


def _validate(
  validate_fn: Callable[..., Mapping[str, float]], state: state_lib.TrainState
) -> dict[str, float]:
  host = parallel.unreplicate(state)
  return dict(validate_fn(host.params, host.extra))


def _score(metrics: Mapping[str, float], name: str | None) -> float | None:
  """The number that ranks checkpoints."""
  if name is None:
    return None
  if name not in metrics:
    raise KeyError(
      f"unknown best metric {name!r}; validation gives: "
      + ", ".join(sorted(metrics))
    )
  return metrics[name]


def _agreed(stop: bool, clock: bool) -> bool:
  """Whether all hosts stop after this step: if one was asked to.

  Args:
    stop: whether this host was asked to.
    clock: a step at which several hosts ask each other; they must not do so
      at every step, for that takes time.
  """
  if jax.process_count() == 1:
    return stop
  return bool(clock and np.any(multihost_utils.process_allgather(stop)))

"""Checkpoints of a run: the newest and the best, written all or nothing.

A checkpoint holds named parts, each a pytree of arrays (`params`, `opt_state`,
`extra`), and named JSON items (the config, the tokenizer, ...). Orbax writes
into a temporary folder and renames it when all is on disk, so that a process
killed at any moment leaves whole checkpoints only; what it left half-written
is removed when the folder is opened next.

Leaves are stored under their path in the tree (`params/dense/kernel`). A part
is restored into a template, or without one as nested dicts.
"""

import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from etils import epath

from a2r.core import trees

FOLDER = "checkpoints"
_SCORE = "score"
# Worse than all scores, and a number that JSON has.
_UNSCORED = -1e300
_DELETED = "deleted"


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    step: number of finished training steps.
    parts: name -> pytree of numpy arrays.
    items: name -> JSON value.
  """

  step: int
  parts: dict[str, Any]
  items: dict[str, Any]


class Checkpoints:
  """The checkpoints of one run folder; use as a context manager.

  Saving copies the arrays and returns while they are written in the
  background; leaving the context waits for the writing to end. Kept are the
  newest checkpoint and the one with the highest score (of equals, the later).
  """

  def __init__(self, workdir: str | pathlib.Path, *, read_only: bool = False):
    """Opens `workdir`/checkpoints and removes what was left half-written.

    Args:
      workdir: the run folder, made where missing unless `read_only`.
      read_only: look only, write and clean nothing.
    """
    self._folder = epath.Path(workdir).expanduser().resolve() / FOLDER
    self._read_only = read_only
    self._sweep()
    policy = ocp.checkpoint_managers.AnyPreservationPolicy(
      [
        ocp.checkpoint_managers.LatestN(1),
        ocp.checkpoint_managers.BestN(
          n=1,
          get_metric_fn=lambda metrics: metrics[_SCORE],
        ),
      ]
    )
    options = ocp.CheckpointManagerOptions(
      preservation_policy=policy,
      best_fn=lambda metrics: metrics[_SCORE],
      cleanup_tmp_directories=not read_only,
      create=not read_only,
      read_only=read_only,
      save_interval_steps=0 if read_only else 1,
      # A rename is all or nothing, a recursive removal is not.
      todelete_subdir=None if read_only else _DELETED,
    )
    verbosity = logging.get_verbosity()
    try:
      # Orbax warns that a folder to be read only is read only.
      logging.set_verbosity(logging.ERROR)
      self._manager = ocp.CheckpointManager(self._folder, options=options)
    finally:
      logging.set_verbosity(verbosity)

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, *exc_info):
    self.close()

  def close(self):
    """Waits for the writing to end and lets go of the folder."""
    self._manager.close()
    self._sweep()

  def wait(self):
    """Returns when the last save is on disk; raises what went wrong there."""
    self._manager.wait_until_finished()

  def steps(self) -> list[int]:
    """Steps of the whole checkpoints, in order."""
    return sorted(self._manager.all_steps())

  def newest_step(self) -> int | None:
    """Step of the newest checkpoint, or None."""
    return self._manager.latest_step()

  def best_step(self) -> int | None:
    """Step of the best checkpoint (the newest where none has a score)."""
    scores = {k: self._manager.metrics(k)[_SCORE] for k in self.steps()}
    return max(scores, key=lambda k: (scores[k], k), default=None)

  def save(
    self,
    step: int,
    parts: Mapping[str, Any],
    items: Mapping[str, Any] | None = None,
    *,
    score: float | None = None,
  ):
    """Starts writing a checkpoint; does nothing if `step` is there already.

    Args:
      step: number of finished training steps.
      parts: name -> pytree of arrays; copied before this returns.
      items: name -> JSON value; copied too.
      score: what the best checkpoint has most of; None and NaN: worse than
        all scores.
    """
    if step in self._manager.all_steps():
      return
    self._manager.wait_until_finished()
    self._sweep()
    args = {}
    for name, tree in parts.items():
      nested = trees.nest(
        {k: np.array(v) for k, v in trees.flatten(tree).items()}
      )
      if nested:
        args[name] = ocp.args.StandardSave(nested)
    for name, value in (items or {}).items():
      # A copy: it is written after this function has returned.
      value = json.loads(json.dumps(value))
      args[name] = ocp.args.JsonSave({"value": value})
    if score is None or np.isnan(score):
      score = _UNSCORED
    self._manager.save(
      step,
      args=ocp.args.Composite(**args),
      metrics={_SCORE: float(score)},
      force=True,
    )

  def restore(
    self,
    step: int,
    templates: Mapping[str, Any] | None = None,
    *,
    parts: tuple[str, ...] = (),
    items: tuple[str, ...] = (),
  ) -> Checkpoint:
    """Reads a checkpoint.

    Args:
      step: one of `steps()`.
      templates: part name -> pytree with the structure, shapes and dtypes to
        restore into.
      parts: names of further parts, restored as nested dicts.
      items: names of the JSON items to read.

    Returns:
      The checkpoint, its arrays bit for bit those that were saved.

    Raises:
      ValueError: the stored tree and the template differ (all differences are
        listed), or a part or item is not stored.
    """
    self.wait()
    templates = dict(templates or {})
    folder = self._folder / str(step)
    if not folder.exists():
      raise ValueError(f"no checkpoint of step {step}; known: {self.steps()}")
    stored = {path.name for path in folder.iterdir() if path.is_dir()}
    args, restored = {}, {}
    for name in (*templates, *parts):
      if name in stored:
        args[name] = ocp.args.StandardRestore()
      elif name in templates and not jax.tree.leaves(templates[name]):
        continue
      else:
        raise ValueError(self._missing(step, name, stored))
    for name in items:
      if name not in stored:
        raise ValueError(self._missing(step, name, stored))
      args[name] = ocp.args.JsonRestore()
    if args:
      restored = self._manager.restore(step, args=ocp.args.Composite(**args))
    found = {name: restored[name] for name in parts}
    for name, template in templates.items():
      tree = restored[name] if name in args else {}
      found[name] = trees.fit(template, tree, f"{folder}: {name}")
    values = {name: restored[name]["value"] for name in items}
    return Checkpoint(step, found, values)

  def _missing(self, step: int, name: str, stored: set[str]) -> str:
    known = ", ".join(sorted(stored - {"metrics"}))
    return (
      f"the checkpoint {self._folder / str(step)} has no {name!r}; it has:"
      f" {known}"
    )

  def _sweep(self):
    """Removes the checkpoints that were set aside for removal."""
    if not self._read_only and jax.process_index() == 0:
      shutil.rmtree(self._folder / _DELETED, ignore_errors=True)


def exists(workdir: str | pathlib.Path) -> bool:
  """Whether a run folder holds a whole checkpoint."""
  folder = pathlib.Path(workdir).expanduser() / FOLDER
  # What is not whole, or set aside, has another name than its step.
  return any(path.name.isdigit() for path in folder.glob("*"))


def load(
  workdir: str | pathlib.Path,
  *,
  which: str = "best",
  parts: tuple[str, ...] = ("params",),
  items: tuple[str, ...] = (),
) -> Checkpoint:
  """Reads a finished or running run's checkpoint, without a template.

  Args:
    workdir: the run folder.
    which: 'best' (highest score) or 'newest'.
    parts: names of the parts to read, each returned as nested dicts.
    items: names of the JSON items to read.

  Returns:
    The checkpoint, its leaves numpy arrays.

  Raises:
    FileNotFoundError: no such run, or it has no checkpoint yet.
  """
  if which not in ("best", "newest"):
    raise ValueError(f"unknown which={which!r}; known: 'best', 'newest'")
  folder = pathlib.Path(workdir).expanduser() / FOLDER
  if not folder.is_dir():
    raise FileNotFoundError(
      f"no run in {workdir}: it has no folder {FOLDER}/ (python -m"
      " launch.train --workdir=... makes one)"
    )
  with Checkpoints(workdir, read_only=True) as checkpoints:
    best = which == "best"
    step = checkpoints.best_step() if best else checkpoints.newest_step()
    if step is None:
      raise FileNotFoundError(
        f"no whole checkpoint in {folder}: the run was stopped before its"
        " first save; start it again with the same command"
      )
    return checkpoints.restore(step, parts=parts, items=items)

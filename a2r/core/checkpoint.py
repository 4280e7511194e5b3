"""Checkpoints of a run: the newest and the best, written all or nothing.

A checkpoint holds named parts, each a pytree of arrays (`params`, `opt_state`,
`extra`), and named JSON items (the config, the tokenizer, ...). Orbax writes
into a temporary folder and renames it when all is on disk, so that a process
killed at any moment leaves whole checkpoints only; what it left half-written
is removed when the folder is opened next.

Leaves are stored under their path in the tree (`params/dense/kernel`). A part
is restored into a template, or without one as nested dicts.

Every part and item has a record of its files' digests (`core/digests.py`),
written before the rename and checked before anything is read.

Of Orbax only what its version 1.0 keeps is used: `v1`, which is then the
package itself. Checkpoints that its older interface wrote are read too.
"""

import contextlib
import functools
import json
import logging
import pathlib
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from unittest import mock

import jax
import numpy as np
from etils import epath
from orbax.checkpoint import v1 as ocp

from a2r.core import checks, compilation, digests, files, trees

FOLDER = "checkpoints"
_SCORE = "score"
# Where Orbax's older interface wrote the score.
_OLD_SCORE = "metrics"
# Worse than all scores, and a number that JSON has.
_UNSCORED = -1e300
_DELETED = "deleted"
_REMOVALS = 20
# Orbax's list of what a checkpoint holds, in either of its interfaces.
_CONTENTS = "_CHECKPOINT_METADATA"


class Checkpoint(NamedTuple):
  """What a checkpoint holds."""

  step: int  # Number of finished training steps.
  parts: dict[str, Any]  # Name -> pytree of numpy arrays.
  items: dict[str, Any]  # Name -> JSON value.


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
    self._folder = epath.Path(checks.path(workdir)).resolve() / FOLDER
    self._read_only = read_only
    self._saving = None
    if not read_only:
      _quieten()
      self._folder.mkdir(parents=True, exist_ok=True)
      self._prune()

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, *exc_info):
    self.wait()

  def wait(self):
    """Returns when the last save is on disk; raises what went wrong there."""
    saving, self._saving = self._saving, None
    if saving is not None:
      path, response = saving
      try:
        with files.writing(path):
          response.result()
      finally:  # What could not be ended takes no room.
        self._prune()

  def steps(self) -> list[int]:
    """Returns the steps of the whole checkpoints, in order."""
    # What is half-written, or set aside, has another name than its step.
    numbered = [p for p in self._folder.glob("*") if p.name.isdigit()]
    return sorted(int(path.name) for path in numbered if _is_whole(path))

  def newest_step(self) -> int | None:
    """Returns the step of the newest checkpoint, or None."""
    return max(self.steps(), default=None)

  def best_step(self) -> int | None:
    """Returns that of the best checkpoint (the newest if none has a score)."""

    def rank(step):
      path = self._folder / str(step) / _SCORE / "data.json"
      if not path.exists():
        path = self._folder / str(step) / _OLD_SCORE / "metrics"
      digests.check(path)
      scores = checks.parse_json(path.read_bytes(), path, dict)
      return scores[_SCORE], step

    return max(self.steps(), key=rank, default=None)

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
    self.wait()
    if step in self.steps():
      return
    if score is None or np.isnan(score):
      score = _UNSCORED
    stored = {_SCORE: {_SCORE: float(score)}}
    for name, tree in parts.items():
      # A copy: it is written after this function has returned.
      flat = {k: np.array(v) for k, v in trees.flatten(tree).items()}
      if flat:
        stored[name] = trees.nest(flat)
    for name, value in (items or {}).items():
      stored[name] = {"value": json.loads(json.dumps(value))}
    path = self._folder / str(step)
    # Orbax would have all processes of a run compare their paths, whatever the
    # context says of those that take part.
    alone = mock.patch.object(jax, "process_count", lambda: 1)
    with _context(parts, stored), alone, files.writing(path):
      self._saving = path, ocp.save_checkpointables_async(path, stored)

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
      ValueError: a file is damaged, a value of the parameters or of a part with
        a template is not finite, the stored tree and the template differ (all
        differences are listed), or a part or item is not stored.
    """
    self.wait()
    templates = dict(templates or {})
    folder = self._folder / str(step)
    if not folder.exists():
      raise ValueError(f"no checkpoint of step {step}; known: {self.steps()}")
    stored = {path.name for path in folder.iterdir() if path.is_dir()}
    wanted = []
    for name in (*templates, *parts, *items):
      if name in stored:
        wanted.append(name)
      elif name not in templates or jax.tree.leaves(templates[name]):
        known = ", ".join(sorted(stored - {_SCORE, _OLD_SCORE}))
        raise ValueError(
          f"the checkpoint {folder} has no {name!r}; it has: {known}"
        )
    restored = {}
    if wanted:
      checked = [digests.check_folder(folder / name) for name in wanted]
      if not all(checked):
        digests.note_unchecked(folder)
      with _context((*templates, *parts), wanted), _explained(folder):
        restored = ocp.load_checkpointables(folder, dict.fromkeys(wanted))
    for name in {"params", *templates} & restored.keys():
      trees.check_finite(restored[name], f"{folder}: {name}")
    found = {name: restored[name] for name in parts}
    for name, template in templates.items():
      tree = restored.get(name, {})
      found[name] = trees.fit(template, tree, f"{folder}: {name}")
    values = {name: restored[name]["value"] for name in items}
    return Checkpoint(step, found, values)

  def _prune(self):
    """Removes all checkpoints but the newest and the best.

    Folders of other names are not of this class: the folder may be a link.
    """
    if self._read_only:
      return
    keep = {str(self.newest_step()), str(self.best_step())}
    for path in self._folder.iterdir():
      # Half-written, or set aside, one is called 5.deleted or the like.
      if path.name.partition(".")[0].isdigit() and path.name not in keep:
        # A rename is all or nothing, a recursive removal is not.
        if path.name.isdigit():
          path = path.rename(self._folder / f"{path.name}.{_DELETED}")
        _remove(path)


def _remove(folder):
  """Removes a folder, which a save that failed may still write to a while."""
  for _ in range(_REMOVALS):
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
      return
    time.sleep(0.1)


@functools.cache
def _quieten():
  """Leaves out tracebacks from threads of a save that failed: it is raised."""
  hook = sys.unraisablehook

  def is_news(record):
    return not (record.exc_info and "orbax" in record.pathname)

  def tell(unraisable):
    # TensorStore's, for writes that nobody waits for any more.
    if "Event loop is closed" not in str(unraisable.exc_value):
      hook(unraisable)

  logging.getLogger("absl").addFilter(is_news)
  sys.unraisablehook = tell


def _is_whole(folder: epath.Path) -> bool:
  """Whether all that a checkpoint lists is there: a copy may be cut short.

  What is there but not to be understood is an error: what is not whole is
  removed.
  """
  path = folder / _CONTENTS
  content = path.read_bytes() if path.is_file() else b""
  is_ended = content.endswith(b"}")
  try:
    # Its last byte may be damaged as any other.
    names = set(json.loads(content[:-1] + b"}")["item_handlers"])
  except (ValueError, KeyError, TypeError, RecursionError):
    names = set()
  if not is_ended and not names:
    return False
  there = {path.name for path in folder.iterdir() if path.is_dir()}
  if not is_ended or there - names:
    unlisted = ", ".join(sorted(there - names))
    fault = f"it does not list {unlisted}" if unlisted else "it has no end"
    raise ValueError(
      f"{path} is damaged: {fault}; "
      f"copy it again, or delete {folder} to go on from an older checkpoint"
    )
  return all(any((folder / name).glob("*")) for name in names)


class _Recorded:
  """A handler of Orbax that leaves a record of the files it has written."""

  def __init__(self, handler):
    self._handler = handler
    self.load, self.metadata = handler.load, handler.metadata
    self.is_handleable = handler.is_handleable
    self.is_abstract_handleable = handler.is_abstract_handleable

  async def save(self, directory, checkpointable):
    """Writes in the background, then the record."""
    written = await self._handler.save(directory, checkpointable)

    async def finish():
      await written
      files.record(pathlib.Path(await directory.await_creation()))

    return finish()


class _Tree(_Recorded):
  """Of a pytree of arrays."""

  def __init__(self):
    super().__init__(ocp.handlers.PyTreeHandler())


class _Json(_Recorded):
  """Of a JSON value."""

  def __init__(self):
    super().__init__(ocp.handlers.JsonHandler())


def _context(parts, names) -> ocp.Context:
  """Returns who writes and reads what: parts are trees, the rest is JSON."""
  registry = ocp.handlers.local_registry()
  for name in names:
    handler = _Tree if name in parts else _Json
    registry.add(handler, checkpointable_name=name)
  context = ocp.Context()
  # Of several processes, one alone writes or reads.
  context.multiprocessing.primary_host = jax.process_index()
  context.multiprocessing.active_processes = {jax.process_index()}
  context.checkpointables.registry = registry
  return context


@contextlib.contextmanager
def _explained(folder: epath.Path):
  """Names the checkpoint that cannot be read."""
  try:
    yield
  # What Orbax raises on a damaged file can be anything.
  except Exception as error:
    reason = " ".join(str(error).split())[:200]
    raise ValueError(
      f"{folder} is damaged ({reason}): copy it again, or delete it to go on "
      "from an older one"
    ) from error


def exists(workdir: str | pathlib.Path) -> bool:
  """Returns whether a run folder holds a whole checkpoint."""
  return bool(Checkpoints(workdir, read_only=True).steps())


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
    ValueError: JAX has 64 bits, see `compilation.check_precision`.
  """
  compilation.check_precision()
  checks.one_of("checkpoint", which, ("best", "newest"))
  checkpoints = Checkpoints(workdir, read_only=True)
  best = which == "best"
  step = checkpoints.best_step() if best else checkpoints.newest_step()
  if step is not None:
    return checkpoints.restore(step, parts=parts, items=items)
  if (checks.path(workdir) / FOLDER).is_dir():
    raise FileNotFoundError(
      f"no whole checkpoint in {workdir}: the run was stopped before its first"
      " save; start it again with the same command"
    )
  raise FileNotFoundError(
    f"no run in {workdir}: it has no folder {FOLDER}/ (python -m launch.train"
    " --workdir=... makes one)"
  )

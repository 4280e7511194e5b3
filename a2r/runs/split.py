"""Which of the user's clips are trained on, and which are held out.

A clip is known by its pictures, so that the choice does not depend on its place
in a manifest: clips that are added move few of the others.

Letters: N clips.
"""

import collections
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from data.dataset import Dataset


def pictures_crcs(dataset: Dataset) -> np.ndarray:
  """`[N]` int, zlib's crc32 of each clip's pictures; reads them all."""
  return np.array(
    [zlib.crc32(b"".join(dataset.frames(row))) for row in range(len(dataset))],
    np.int64,
  )


def digest(dataset: Dataset, crcs: Sequence[int]) -> str:
  """What tells one set of clips from another, in whatever order they come.

  Args:
    dataset: the clips.
    crcs: `[N]` int, what each of them holds.
  """
  rows = sorted(
    [int(crc), str(instruction), str(task), bool(success)]
    for crc, instruction, task, success in zip(
      crcs, dataset.instruction, dataset.task, dataset.success, strict=True
    )
  )
  return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def check_share(validation: Any):
  """Refuses a `share` that is none.

  Raises:
    ValueError: it is below 0, or leaves nothing to train on.
  """
  if not 0 <= validation.share < 1:
    raise ValueError(
      f"data.validation.share={validation.share}: expected at least 0 (no "
      "clip is held out) and less than 1"
    )


def hold_out(
  dataset: Dataset, crcs: np.ndarray, validation: Any, seed: int
) -> tuple[Dataset, Dataset, list[str]]:
  """Splits off validation clips: a share of each task and outcome.

  At least one of two or more, none of a single one, and none where the share
  is 0. Clips of the same pictures stay together, whatever is said of them.

  Args:
    dataset: the clips.
    crcs: `[N]`, see `pictures_crcs`.
    validation: the settings `successes` and `failures`, at most so many of a
      task, and `share`, at most this share of them.
    seed: of the choice.

  Returns:
    The clips to train on, those held out, and notes.
  """
  check_share(validation)
  cells = list(
    zip(dataset.task.tolist(), dataset.success.tolist(), strict=True)
  )
  there = collections.Counter(cells)
  most = {True: validation.successes, False: validation.failures}
  room = {
    cell: _share(number, validation.share, most[cell[1]])
    for cell, number in there.items()
  }
  chosen, taken = [], collections.Counter()
  for crc in sorted(set(crcs.tolist()), key=lambda crc: _rank(crc, seed)):
    needed = collections.Counter(
      cells[row] for row in np.flatnonzero(crcs == crc)
    )
    if all(taken[cell] + needed[cell] <= room[cell] for cell in needed):
      taken += needed
      chosen.append(crc)
  held_out = np.isin(crcs, chosen)
  notes = []
  for task in dict.fromkeys(dataset.task.tolist()):
    told = " and ".join(
      f"{taken[task, success]} of {there[task, success]} {kind}"
      for success, kind in ((True, "successes"), (False, "failures"))
    )
    notes.append(f"held out of training: {told} of {task!r}")
  return dataset.select(~held_out), dataset.select(held_out), notes


def _share(number: int, share: float, most: int) -> int:
  """How many of so many clips may be held out."""
  if not share:
    return 0
  return min(most, max(1, int(share * number)), number - 1)


def _rank(crc: int, seed: int) -> bytes:
  return hashlib.sha256(f"{seed} {crc}".encode()).digest()

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

import numpy as np

from a2r.core import files
from a2r.runs.data_settings import ValidationSettings
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
  return files.digest(json.dumps(rows))


def split_validation(
  dataset: Dataset,
  crcs: np.ndarray,
  limits: ValidationSettings,
  seed: int,
  *,
  least: int = 0,
) -> tuple[Dataset, Dataset, list[str]]:
  """Splits off validation clips: a share of each task and outcome.

  At least one of two or more, none of a single one, and none where the share
  is 0. Clips of the same pictures stay together, whatever is said of them.

  Args:
    dataset: the clips.
    crcs: `[N]`, see `pictures_crcs`.
    limits: how many may be held out.
    seed: of the choice.
    least: successes and failures, over all tasks, without which none is held
      out.

  Returns:
    The clips to train on, those held out, and notes.
  """
  outcomes = list(
    zip(dataset.task.tolist(), dataset.success.tolist(), strict=True)
  )
  given = collections.Counter(outcomes)
  most = {True: limits.successes, False: limits.failures}
  room = dict.fromkeys(given, 0)
  if limits.share:
    for (task, success), number in given.items():
      num = min(most[success], max(1, int(limits.share * number)), number - 1)
      room[task, success] = num

  counts = [
    sum(n for (_, outcome), n in room.items() if outcome == success)
    for success in (True, False)
  ]
  notes, too_few = [], limits.share and min(counts) < least
  if too_few:
    room = dict.fromkeys(given, 0)
    notes.append(
      f"no clip is held out of training: {counts[0]} successes and {counts[1]} "
      f"failures of all tasks are less than the {least} of each that could "
      "choose a checkpoint or a form"
    )

  def rank(crc):
    return hashlib.sha256(f"{seed} {crc}".encode()).digest()

  chosen, taken = [], collections.Counter()
  for crc in sorted(set(crcs.tolist()), key=rank):
    needed = collections.Counter(
      outcomes[row] for row in np.flatnonzero(crcs == crc)
    )
    if all(taken[o] + needed[o] <= room[o] for o in needed):
      taken += needed
      chosen.append(crc)
  held_out = np.isin(crcs, chosen)
  parts = []
  for task in dict.fromkeys(dataset.task.tolist()):
    shares = " and ".join(
      f"{taken[task, success]} of {given[task, success]} {kind}"
      for success, kind in ((True, "successes"), (False, "failures"))
    )
    parts.append(f"{shares} of {task!r}")
  if not too_few:
    notes.append(f"held out of training: {', '.join(parts)}")
  labels = collections.defaultdict(set)
  for crc, outcome in zip(crcs.tolist(), outcomes, strict=True):
    labels[(crc, outcome[0])].add(outcome[1])
  if both := [task for (_, task), found in labels.items() if len(found) == 2]:
    notes.append(
      f"TWO LABELS: {len(both)} clips of {sorted(set(both))} are there as a "
      "success and, with the same pictures, as a failure: one of them is wrong"
    )
  return dataset.select(~held_out), dataset.select(held_out), notes

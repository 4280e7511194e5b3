"""The table of planning trials, and the rows of metrics.jsonl."""

import json
import pathlib
from collections.abc import Mapping, Sequence

from a2r.core import files
from a2r.evaluation import success, tables
from a2r.runs import players, trial_store, trials


def run(
  store: trial_store.Store,
  player: players.Player,
  world: players.World,
  batches: Sequence[trials.Batch],
  path: pathlib.Path,
) -> str:
  """Plays what is missing; returns the table.

  Args:
    store: of the player and the world.
    player: acts.
    world: where, and what predicts.
    batches: what is asked for.
    path: of metrics.jsonl, which gets a row per cell.
  """
  trials.play_all(store, player, world, batches)
  rows = read_cells(store, batches)
  _write_metrics(path, rows, store.folder.name)
  return table(rows)


def _write_metrics(path, rows, key):
  """Adds the cells to a file, in place of older rows of the same cells."""
  names = ("environment", "task", "seed")
  mine = {tuple(row[name] for name in names) for row in rows}
  # What another process adds between reading and writing would be lost.
  with files.locked(path.parent / "locks" / path.stem, wait=True):
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    kept = [
      line
      for line in map(json.loads, lines)
      if line["settings"] != key or tuple(line[n] for n in names) not in mine
    ]
    kept += [{**row, "settings": key} for row in rows]
    files.write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def read_cells(
  store: trial_store.Store, batches: Sequence[trials.Batch]
) -> list[dict]:
  """The cells of batches that have a trial, as `success` takes them."""
  found = [
    store.read(batch.environment, task, batch.seed)
    for batch in batches
    for task in batch.tasks
  ]
  return [
    {"experiment": "plan", **fields} for fields in found if fields is not None
  ]


def table(rows: Sequence[Mapping]) -> str:
  """Success rates per environment and task, and their means.

  Args:
    rows: cells of one method.
  """
  sets = [success.TrialSet.read(row) for row in rows]
  lines = [
    [
      row["column"],
      row.get("task", "mean of all"),
      row["num_trials"],
      row["num_seeds"],
      row["rate_so_far"],
      f"{row['low']:.1f}-{row['high']:.1f}",
    ]
    for per_task in (True, False)
    for row in success.summarize(sets, per_task=per_task)
    if row["num_trials"]
  ]
  lines.sort(key=lambda line: (line[0], line[1] == "mean of all"))
  return tables.Table(
    "Success of planning, in %, with 95 % Wilson intervals over trials",
    ["environment", "task", "trials", "seeds", "success", "interval"],
    lines,
  ).text()

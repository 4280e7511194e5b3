"""Reports an evaluation: tables, report.json and report.png, a page of a run.

Near-misses are the failures of all sources that nearly succeed, see
`labeled.NEAR_SOURCES`.
"""

import base64
import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from a2r.core import files, templates, writer
from a2r.evaluation import advice, animation, figures, forms, tables
from a2r.evaluation.evaluate import Report

JSON_FILE = "report.json"
PNG_FILE = "report.png"
WORST_FILE = "worst.png"
_VIDEOS = "worst"  # Folder of the same clips as they play.
_PACKAGES = (
  "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "mujoco",
  "mujoco-mjx", "tensorflow-cpu",
)  # fmt: skip
_FEW = 10  # Of either outcome: a figure on fewer clips says how few.
_SHOWN_CLIPS = 40  # On a terminal; report.json has all.
_WORST_CLIPS = 20


def summary(result: Report, told: Sequence[str] = ()) -> str:
  """Returns what a run prints at its end: the chosen form, by environment.

  Args:
    result: what `evaluate.evaluate_run` returned.
    told: those of its notes that were printed before.
  """
  rows = rows_of_form(result.summary, result.form)
  by_task = rows_of_form(result.rows, result.form)
  parts = [forms.explain(result)]
  if rows:
    parts += [environments(rows).text()]
    if len(by_task) > len(rows):
      parts.append(tasks(by_task).text())
    parts.append(rewards(rows).text())
  if result.thresholds:
    parts.append(thresholds(result.thresholds).text())
  parts += [_calibration(result)] if result.calibration else []
  if sentences := advice.film_next(result):
    lines = (f"  {n}. {text}" for n, text in enumerate(sentences, 1))
    parts.append("\n".join(["What to film next", *lines]))
  notes = [f"NOTE: {note}" for note in result.notes if note not in told]
  if len(result.clips) > _SHOWN_CLIPS:
    parts += [worst_clips(result.clips).text()]
    parts += [f"All {len(result.clips)} clips are in report.json"]
  elif result.clips:
    parts.append(clips(result.clips).text())
  return "\n\n".join([*parts, *notes])


def all_tables(result: Report) -> list[tables.Table]:
  """Returns the tables that a page shows, but for that of single clips."""
  rows = rows_of_form(result.summary, result.form)
  return [
    environments(rows),
    rewards(rows),
    tasks(rows_of_form(result.rows, result.form)),
    *([thresholds(result.thresholds)] if result.thresholds else []),
    compare_forms(result),
  ]


def rows_of_form(rows: Sequence[dict], form: str) -> list[dict]:
  """Returns the rows of one form."""
  return [row for row in rows if row["form"] == form]


def environments(rows: Sequence[dict]) -> tables.Table:
  """Returns AUROC by environment, from rows of `Report.summary`."""
  return tables.from_rows(
    "AUROC of successes against failures: mean over tasks, 95 % interval over "
    "clips, 0.50 is chance",
    {"environment": "environment", **_AUROC, "interval": _interval}
    | _kinds(rows, "auroc")
    | _before(rows),
    rows,
  )


def rewards(rows: Sequence[dict]) -> tables.Table:
  """Returns mean rewards and retrieval, from rows of `Report.summary`."""
  return tables.from_rows(
    "Mean reward, and share of successes whose own instruction is picked among "
    "all known ones and among the tasks shown",
    {
      "environment": "environment",
      "success": "reward_success",
      **(_kinds(rows, "reward") or {"failure": "reward_failure"}),
      "success, other text": "reward_other_text",
      "picked of known": "retrieval",
      "picked of tasks": "retrieval_tasks",
    },
    rows,
  )


def tasks(rows: Sequence[dict]) -> tables.Table:
  """Returns AUROC by environment and task, from rows of one form."""
  return tables.from_rows(
    "AUROC per task",
    {"environment": "environment", "task": "task", **_AUROC}
    | _kinds(rows, "auroc")
    | _before(rows)
    | {"picked of known": "retrieval"},
    rows,
  )


def thresholds(rows: Sequence[dict]) -> tables.Table:
  """Returns the threshold of each task, from `Report.thresholds`."""
  return tables.from_rows(
    "Thresholds by validation clips: from there on a reward says success",
    {
      "instruction": "instruction",
      "threshold": "threshold",
      "successes missed": "misses",
      "failures passed": "false_alarms",
      "missed, test clips": "test_misses",
      "passed, test clips": "test_false_alarms",
    },
    rows,
  )


def worst_clips(rows: Sequence[dict]) -> tables.Table:
  """Returns the clips that most of their task's other outcome outrank."""
  wrong = [row for row in rows if row.get("outranked")]
  wrong = sorted(wrong, key=lambda row: -row["outranked"])[:_WORST_CLIPS]
  return tables.from_rows(
    "The clips that it ranks worst: what share of their task's clips of the "
    "other outcome is on the wrong side",
    {
      "clip": "name",
      "instruction": "instruction",
      "it is a": _outcome,
      "reward": "score",
      "wrong side": "outranked",
    },
    wrong,
  )


def clips(rows: Sequence[dict]) -> tables.Table:
  """Returns the reward of each clip, from `Report.clips`."""
  return tables.from_rows(
    "Reward of each clip; the successes of an instruction should stand first",
    {
      "clip": "name",
      "instruction": "instruction",
      "it is a": _outcome,
      "reward": "score",
    },
    rows,
  )


def compare_forms(result: Report) -> tables.Table:
  """Returns mean AUROC of each form: on validation, then by environment."""
  names = list(dict.fromkeys(r["environment"] for r in result.summary))
  aurocs = {(r["form"], r["environment"]): r["auroc"] for r in result.summary}
  return tables.Table(
    "AUROC of every form of the reward",
    ["form", "validation", *names],
    [
      [form, result.validation.get(form), *(aurocs[form, n] for n in names)]
      for form in dict.fromkeys(r["form"] for r in result.summary)
    ],
  )


def _few(row: dict) -> bool:
  return min(row["num_success"], row["num_failure"]) < _FEW


def _auroc(row: dict) -> float | str | None:
  """The AUROC; of few clips it says so."""
  if row["auroc"] is None or not _few(row):
    return row["auroc"]
  return "{auroc:.2f} on {num_success}+{num_failure} clips".format(**row)


def _interval(row: dict) -> str | None:
  """As `0.91-0.97`; none of few clips, or where clips drawn anew all agree."""
  low, high = row["auroc_interval"] or (0, 0)
  return None if _few(row) or high - low < 1e-6 else f"{low:.2f}-{high:.2f}"


_AUROC = {
  "successes": "num_success",
  "failures": "num_failure",
  "all failures": _auroc,
}


def _calibration(result: Report) -> str | None:
  """What is known of the probability of success, None without one."""
  if not result.calibration:
    return None
  return (
    "Probability of success (`Reward.assess`): expected calibration error "
    "{error:.3f} on the test clips, {error_before:.3f} of the reward as it is"
  ).format(**result.calibration)


def _outcome(row: dict) -> str:
  return "success" if row["success"] else "failure"


def _before(rows: Sequence[dict]) -> dict[str, str]:
  """The column of the AUROC before training, none where it is not known."""
  is_known = any(row.get("auroc_before") is not None for row in rows)
  return {"before training": "auroc_before"} if is_known else {}


def _kinds(rows: Sequence[dict], figure: str) -> dict[str, str]:
  """Columns of the two kinds of failure, none where no clip is known as one."""
  near = "near-misses" if figure == "auroc" else "near-miss"
  kinds = {near: f"{figure}_near_miss", "random": f"{figure}_random"}
  is_known = any(row[key] is not None for row in rows for key in kinds.values())
  return kinds if is_known else {}


def write(
  result: Report,
  workdir: str | pathlib.Path,
  *,
  config: Mapping[str, Any],
  card: Mapping[str, Any] | str | None = None,
  command: str | None = None,
) -> None:
  """Writes report.json and, where there are examples, report.png.

  The JSON holds the figures (`Report` without its examples) and what made them:
  command, config, seed, package versions, machine, date, commit, the backbone's
  card.

  Args:
    result: what `evaluate.evaluate_run` returned.
    workdir: the run folder.
    config: the run's config as plain values, with its `seed`.
    card: what is known of the backbone that the run started from.
    command: the command line that made the run.
  """
  workdir = pathlib.Path(workdir)
  plain = dataclasses.asdict(dataclasses.replace(result, examples=[], worst=[]))
  del plain["examples"], plain["worst"]
  record = {
    "report": plain,
    "command": command,
    "seed": config["seed"],
    **provenance(),
    "backbone": card,
    "config": config,
  }
  files.write_json(workdir / JSON_FILE, record, recorded=True)
  if result.examples:
    picture = figures.filmstrips(
      result.examples,
      form=result.form,
      title=f"{workdir.resolve().name}: reward over time",
    )
    files.write_bytes(workdir / PNG_FILE, picture)
  shutil.rmtree(workdir / _VIDEOS, ignore_errors=True)
  (workdir / WORST_FILE).unlink(missing_ok=True)
  if result.worst:
    picture = figures.filmstrips(result.worst, form=result.form)
    files.write_bytes(workdir / WORST_FILE, picture)
    folder = workdir / _VIDEOS
    folder.mkdir(exist_ok=True)
    for number, example in enumerate(result.worst):
      video = animation.encode(example.frames[0], "webp")
      files.write_bytes(folder / f"{number}.webp", video)


def read(workdir: str | pathlib.Path) -> tuple[Report, dict] | None:
  """Returns the report of a run and what made it, None if it has none yet.

  Returns:
    The report without its examples, and the other fields of report.json.
  """
  path = pathlib.Path(workdir) / JSON_FILE
  record = files.read_json(path)
  if record is None:
    return None
  try:
    return Report(**record.pop("report"), examples=[]), record
  except (KeyError, TypeError, AttributeError) as error:
    raise ValueError(f"{path} is not a report: {error}") from error


def page(workdir: str | pathlib.Path) -> str:
  """Returns the page of a run as HTML that needs no other file.

  Args:
    workdir: the run folder; what it does not hold yet is left out.

  Raises:
    FileNotFoundError: the folder has neither a report nor metrics.
    ValueError: a file of the folder is broken; names it.
  """
  workdir = pathlib.Path(workdir)
  result, record = read(workdir) or (None, {})
  metrics = writer.read(workdir)
  if result is None and not metrics:
    raise FileNotFoundError(
      f"no run to report: {workdir} has neither {JSON_FILE} nor {writer.FILE}"
    )
  picture, worst = workdir / PNG_FILE, workdir / WORST_FILE
  try:
    return templates.render(
      "report.html",
      name=workdir.resolve().name,
      result=result,
      picture=_base64(picture.read_bytes() if picture.is_file() else None),
      worst=_base64(worst.read_bytes() if worst.is_file() else None),
      videos=[
        _base64(path.read_bytes())
        for path in sorted((workdir / _VIDEOS).glob("*.webp"))
      ],
      curves=_base64(figures.training_curves(metrics)),
      **(_describe(result, record) if result else {}),
    )
  except (
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ValueError,  # Of the template.
  ) as error:
    raise ValueError(
      f"{workdir}: {JSON_FILE} or {writer.FILE} is not a run's: {error!r}"
    ) from error


def _describe(result: Report, record: Mapping[str, Any]) -> dict[str, Any]:
  """What a page says of a result."""
  details = {key: record[key] for key in ("backbone", "versions", "machine")}
  return {
    "record": record,
    "form_line": forms.explain(result),
    "sentences": advice.film_next(result),
    "clips": clips(result.clips) if result.clips else None,
    "tables": all_tables(result),
    "calibration": _calibration(result),
    "details": json.dumps(details, indent=2),
    "config": json.dumps(record["config"], indent=2),
  }


def _base64(data: bytes | None) -> str:
  return base64.b64encode(data or b"").decode()


def provenance() -> dict[str, Any]:
  """Returns when and by what figures were made.

  Returns:
    `date`, `commit`, `versions` of the packages that bear on figures, and
    `machine`, the devices and the processor.
  """
  versions = {"python": platform.python_version()}
  for name in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      versions[name] = importlib.metadata.version(name)
  device = jax.devices()[0]
  return {
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "commit": _commit(),
    "versions": versions,
    "machine": {
      "platform": platform.platform(),
      "num_cpus": os.cpu_count(),
      "device": device.device_kind,
      "backend": device.platform,
      "num_devices": jax.device_count(),
      "xla_flags": os.environ.get("XLA_FLAGS", ""),
    },
  }


def _commit() -> str | None:
  """The commit of this source tree, `-dirty` if changed; None outside git."""
  try:
    return subprocess.run(
      ["git", "describe", "--always", "--dirty", "--abbrev=12"],
      cwd=pathlib.Path(__file__).parent,
      capture_output=True,
      check=True,
      text=True,
      timeout=10,
    ).stdout.strip()
  except (OSError, subprocess.SubprocessError):
    return None

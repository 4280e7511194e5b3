"""The record of an evaluation: report.json and report.png in the run folder."""

import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import jax

from a2r.evaluation import figures
from a2r.evaluation.evaluate import Report

JSON_FILE = "report.json"
PNG_FILE = "report.png"
_PACKAGES = (
  "jax",
  "jaxlib",
  "flax",
  "optax",
  "orbax-checkpoint",
  "numpy",
  "mujoco",
  "mujoco-mjx",
  "tensorflow-cpu",
)


def write(
  result: Report,
  workdir: str | pathlib.Path,
  *,
  config: Mapping[str, Any],
  card: Mapping[str, Any] | str | None = None,
  command: str | None = None,
  title: str | None = None,
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
    title: headline of the picture; None: the run folder's name.
  """
  workdir = pathlib.Path(workdir)
  figures_of_report = dataclasses.asdict(
    dataclasses.replace(result, examples=[])
  )
  del figures_of_report["examples"]
  record = {
    "report": figures_of_report,
    "command": command,
    "seed": config["seed"],
    **provenance(),
    "backbone": card,
    "config": config,
  }
  write_text(workdir / JSON_FILE, json.dumps(record, indent=2) + "\n")
  if result.examples:
    figures.filmstrips(
      result.examples,
      form=result.form,
      path=workdir / PNG_FILE,
      title=title or f"{workdir.resolve().name}: reward over time",
    )


def read(workdir: str | pathlib.Path) -> tuple[Report, dict] | None:
  """The report of a run and what made it, or None if it has none yet.

  Returns:
    The report without its examples, and the other fields of report.json.
  """
  path = pathlib.Path(workdir) / JSON_FILE
  if not path.is_file():
    return None
  try:
    record = json.loads(path.read_text(encoding="utf-8"))
    return Report(**record.pop("report"), examples=[]), record
  except (json.JSONDecodeError, KeyError, TypeError) as error:
    raise ValueError(f"{path} is not a report: {error}") from error


def provenance() -> dict[str, Any]:
  """When and by what figures were made: date, commit, versions, machine."""
  return {
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "commit": _commit(),
    "versions": _versions(),
    "machine": _machine(),
  }


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a file, all or nothing."""
  partial = path.with_name(f"{path.name}.partial")
  partial.write_text(text, encoding="utf-8")
  os.replace(partial, path)


def _versions() -> dict[str, str]:
  """Installed versions of the packages that bear on the figures."""
  versions = {"python": platform.python_version()}
  for name in _PACKAGES:
    try:
      versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      continue
  return versions


def _machine() -> dict[str, Any]:
  """The devices and the processor."""
  device = jax.devices()[0]
  return {
    "platform": platform.platform(),
    "num_cpus": os.cpu_count(),
    "device": device.device_kind,
    "backend": device.platform,
    "num_devices": jax.device_count(),
    "xla_flags": os.environ.get("XLA_FLAGS", ""),
  }


def _commit() -> str | None:
  """The commit of this source tree, `-dirty` if changed; None outside git."""
  folder = pathlib.Path(__file__).parent
  command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
  try:
    found = subprocess.run(
      command, cwd=folder, capture_output=True, text=True, timeout=10
    )
  except (OSError, subprocess.TimeoutExpired):
    return None
  return found.stdout.strip() or None if found.returncode == 0 else None

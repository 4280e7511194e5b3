"""Where the benchmarks leave their figures: benchmarks/results/*.json."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
from typing import Any

import jax

_FOLDER = pathlib.Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
  """What the figures were measured on, and when."""
  return {
    "date": datetime.date.today().isoformat(),
    "backend": jax.default_backend(),
    "device": jax.devices()[0].device_kind,
    "processor": _processor(),
    "cores": len(os.sched_getaffinity(0)),
    "load_average": os.getloadavg()[0],
    "python": platform.python_version(),
    "jax": jax.__version__,
    "mujoco": _version("mujoco"),
  }


def write(name: str, rows: list[dict[str, Any]], **settings):
  """Writes `rows` to benchmarks/results/<name>-<backend>.json."""
  _FOLDER.mkdir(exist_ok=True)
  path = _FOLDER / f"{name}-{jax.default_backend()}.json"
  report = machine() | settings | {"rows": rows}
  path.write_text(json.dumps(report, indent=2) + "\n")
  print(f"Wrote benchmarks/results/{path.name}.")


def _version(package: str) -> str | None:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None


def _processor() -> str:
  cpuinfo = pathlib.Path("/proc/cpuinfo")
  for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
    if line.startswith("model name"):
      return line.partition(":")[2].strip()
  return platform.processor()

"""Where the benchmarks leave their figures: benchmarks/results/*.json."""

import datetime
import os
import pathlib
import platform
from typing import Any

import jax

from a2r.core import files
from a2r.evaluation import report

_FOLDER = pathlib.Path(__file__).parent / "results"


def write(name: str, rows: list[dict[str, Any]], **settings):
  """Writes rows, and where they were measured, to <name>-<backend>.json."""
  versions = report.provenance()["versions"]
  machine = {
    "date": datetime.date.today().isoformat(),
    "backend": jax.default_backend(),
    "device": jax.devices()[0].device_kind,
    "processor": _processor(),
    "cores": len(os.sched_getaffinity(0)),
    "load_average": os.getloadavg()[0],
    **{name: versions.get(name) for name in ("python", "jax", "mujoco")},
  }
  path = _FOLDER / f"{name}-{jax.default_backend()}.json"
  files.write_json(path, machine | settings | {"rows": rows})
  print(f"Wrote benchmarks/results/{path.name}.")


def _processor() -> str:
  cpuinfo = pathlib.Path("/proc/cpuinfo")
  for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
    if line.startswith("model name"):
      return line.partition(":")[2].strip()
  return platform.processor()

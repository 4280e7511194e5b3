"""Writes one HTML page of a run: tables, pictures, training curves.

  python -m launch.report --run=runs/envgen

The page needs no other file and no network. A run that is still being trained
has its curves, a finished one everything.
"""

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r.core import files
  from a2r.evaluation import report

_RUN = flags.DEFINE_string("run", None, "Run folder that launch.train wrote.")
_OUT = flags.DEFINE_string(
  "out", None, "The page; report.html in the run folder by default."
)


def main():
  """Reads the flags and writes the page."""
  workdir = checks.path(app.required(_RUN, "runs/envgen"))
  path = workdir / "report.html"
  if _OUT.value:
    path = checks.file_to_write(_OUT.value)
  files.write_text(path, report.page(workdir))
  print(f"Page: {path}")


if __name__ == "__main__":
  app.run(main)

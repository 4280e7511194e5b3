"""Shows the simulator: an animation per environment, task and source.

  python -m launch.gallery
  python -m launch.gallery --environments=tabletop/test3 --tasks=poke_cup \
    --image_size=320 --format=gif --out=poke

Experts are shown succeeding, all others failing. Open index.html in --out;
sheet.png there has one frame of each animation. Stopped or killed, the same
command goes on; other settings make the animations anew.
"""

import importlib.metadata
import pathlib
import shlex
import sys
import time

from absl import flags
from etils import epy

from launch import app

with epy.lazy_imports():
  from a2r.core import progress
  from a2r.evaluation import gallery, gallery_page
  from a2r.runs.sources import fingerprint

_OUT = flags.DEFINE_string("out", "gallery", "Folder of the page.")
_IMAGE_SIZE = flags.DEFINE_integer(
  "image_size", 160, "Pixels, either side.", 8, 1024
)
_SAMPLES = flags.DEFINE_integer(
  "samples", 2, "Rays per pixel side, against jagged edges.", 1, 3
)
_ENVIRONMENTS = flags.DEFINE_list("environments", [], "All if none.")
_TASKS = flags.DEFINE_list("tasks", [], "All if none.")
_SOURCES = flags.DEFINE_list(
  "sources", ["expert", "near_miss", "random"], "Who acts."
)
_FORMAT = flags.DEFINE_enum(
  "format", "webp", ["webp", "gif"], "Of the animations."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of all randomness.", 0)
_REPORT_EVERY = 7  # Animations.
_PACKAGES = ("jax", "mujoco", "numpy", "pillow")


def main():
  """Reads the flags, makes what is missing, writes the sheet and the page."""
  cells = gallery.make_cells(_ENVIRONMENTS.value, _TASKS.value, _SOURCES.value)
  out = pathlib.Path(_OUT.value).expanduser()
  if out.exists() and not out.is_dir():
    raise ValueError(f"--out={_OUT.value} is a file, not a folder")
  settings = gallery.Settings(
    image_size=_IMAGE_SIZE.value,
    samples=_SAMPLES.value,
    format=_FORMAT.value,
    seed=_SEED.value,
    code=fingerprint.source_digest("a2r.sim.behavior.clips"),
  )
  started = time.monotonic()
  num_made = _make(cells, settings, out)
  gallery.write(out / gallery.SHEET, gallery.draw_sheet(cells, settings, out))
  page = gallery_page.render(
    cells,
    settings,
    out,
    command=shlex.join(["python", "-m", "launch.gallery", *sys.argv[1:]]),
    versions={name: importlib.metadata.version(name) for name in _PACKAGES},
  )
  gallery.write(out / gallery.PAGE, page.encode())
  print(gallery.summary(cells, out))
  print(
    f"Made {num_made} of {len(cells)} animations in "
    f"{time.monotonic() - started:.0f} s. Page: {out / gallery.PAGE}"
  )


def _make(cells, settings, out) -> int:
  """Makes the animations that are missing, with progress; returns how many."""
  left = gallery.missing(cells, settings, out)
  start = len(cells) - len(left)
  with progress.Progress(len(cells), start=start, name="gallery") as bar:
    began = time.monotonic()
    for done, _ in enumerate(gallery.make_clips(left, settings, out), 1):
      bar.advance()
      if done % _REPORT_EVERY == 0 or done == len(left):
        bar.report({"clips/s": done / (time.monotonic() - began)})
  return len(left)


if __name__ == "__main__":
  app.run(main)

"""Shows the simulator: an animation per environment, task and source.

  python -m launch.gallery
  python -m launch.gallery --environments=tabletop/test3 --tasks=poke_cup \
    --image_size=320 --format=gif --out=poke

Experts are shown succeeding, all others failing. Open index.html in --out;
sheet.png there has one frame of each animation. Stopped or killed, the same
command goes on; other settings make the animations anew.
"""

import time

from absl import flags
from etils import epy

from a2r.core import checks
from launch import app

with epy.lazy_imports():
  from a2r.core import progress
  from a2r.runs import gallery, run_folder
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


def main():
  """Reads the flags, makes what is missing, writes the sheet and the page."""
  keys = gallery.make_keys(_ENVIRONMENTS.value, _TASKS.value, _SOURCES.value)
  out = checks.folder(_OUT.value)
  config = gallery.Config(
    image_size=_IMAGE_SIZE.value,
    samples=_SAMPLES.value,
    format=_FORMAT.value,
    seed=_SEED.value,
    code=fingerprint.source_digest("a2r.sim.behavior.clips"),
  )
  began = time.monotonic()
  left = gallery.missing(keys, config, out)
  start = len(keys) - len(left)
  with progress.Progress(len(keys), start=start, name="gallery") as bar:
    for done, _ in enumerate(gallery.make_clips(left, config, out), 1):
      bar.advance()
      if done % _REPORT_EVERY == 0 or done == len(left):
        bar.report({"clips/s": done / (time.monotonic() - began)})
  print(gallery.write_pages(keys, config, out, run_folder.command_line()))
  print(
    f"Made {len(left)} of {len(keys)} animations in "
    f"{time.monotonic() - began:.0f} s. Page: {out / gallery.PAGE}"
  )


if __name__ == "__main__":
  app.run(main)

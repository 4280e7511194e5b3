"""Draws docs/environments.png and docs/human_clips.png.

  python -m benchmarks.contact_sheet

The first has a row per environment: the start, then the last frames of the
expert's clip of each target task, of a near miss and of random behavior. The
second has eight procedural human clips, a row each, time from left to right.
"""

import pathlib
import textwrap

import jax
import matplotlib
import numpy as np

from a2r import sim
from a2r.sim.humans import human_clips as humans

matplotlib.use("Agg")
from matplotlib import pyplot as plt

_DOCS = pathlib.Path(__file__).parents[1] / "docs"
_SIZE = 128
_ACTIVITIES = (
  "Closing something",
  "Opening something",
  "Moving something away from the camera",
  "Pushing something from left to right",
  "Moving part of something",
  "Poking something so that it falls over",
  "Putting something onto something",
  "Pretending to pick something up",
)


def environments():
  """A row per environment."""
  columns = [("close_drawer", "expert", 0)]
  columns += [(task, "expert", -1) for task in sim.TARGETS]
  columns += [("close_drawer", "near_miss", -1), ("move_faucet", "random", -1)]
  titles = ["start", *sim.TARGETS, "close_drawer\nnear miss", "random"]
  rows = [
    [
      sim.collect(name, task, source, 0, 1, image_size=_SIZE, samples=2).frames[
        0, frame
      ]
      for task, source, frame in columns
    ]
    for name in sim.ENVIRONMENTS
  ]
  _save("environments.png", rows, sim.ENVIRONMENTS, titles)


def human_clips():
  """A row per clip."""
  labels = np.array([humans.TEMPLATES.index(text) for text in _ACTIVITIES])
  frames, nouns, *_ = jax.device_get(
    humans.sample_clips(
      jax.random.key(4), labels, num_frames=6, image_size=_SIZE
    )
  )
  names = [humans.caption(*pair) for pair in zip(labels, nouns, strict=True)]
  _save("human_clips.png", frames, names, [""] * 6)


def _save(name, rows, names, titles):
  shape = (len(rows), len(titles))
  size = (1.4 * shape[1] + 1.2, 1.4 * shape[0] + 0.3)
  figure, axes = plt.subplots(*shape, figsize=size, layout="constrained")
  for row, pictures in enumerate(rows):
    for column, picture in enumerate(pictures):
      axis = axes[row, column]
      axis.imshow(picture)
      axis.set(xticks=[], yticks=[])
      if row == 0:
        axis.set_title(titles[column], fontsize=7)
    label = textwrap.fill(names[row], 20)
    axes[row, 0].set_ylabel(label, fontsize=7)
  _DOCS.mkdir(exist_ok=True)
  figure.savefig(_DOCS / name, dpi=110)
  print(f"Wrote docs/{name}.")


if __name__ == "__main__":
  environments()
  human_clips()

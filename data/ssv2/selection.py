"""Which videos are stored, and how."""

import dataclasses
import difflib
import zlib
from collections.abc import Sequence

import numpy as np

from a2r.core import checks
from data.ssv2 import layout as layouts
from data.ssv2.layout import Video

CAPTIONS = ("label", "template")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
  """What decides the bytes of a data set, besides the download itself.

  Raises:
    ValueError: a field that makes no sense, by name.
  """

  # With or without brackets, in any case; all if empty.
  templates: tuple[str, ...] = ()
  per_template: int = 0  # Videos of each template and split; 0 takes all.
  # The instruction: 'label' (the template filled) or 'template'.
  caption: str = "label"
  num_frames: int = 16  # T, evenly spaced, the first and the last among them.
  image_size: int = 224  # S, the aspect is not kept.
  seed: int = 0  # Of the choice where `per_template` leaves some out.

  def __post_init__(self):
    checks.one_of("caption", self.caption, CAPTIONS)
    checks.at_least("num_frames", self.num_frames, 1)
    checks.at_least("image_size", self.image_size, 1)
    checks.at_least("per_template", self.per_template, 0)


def resolve(names: Sequence[str], templates: Sequence[str]) -> tuple[str, ...]:
  """Returns the official spelling of named templates, all if none is named.

  Raises:
    ValueError: an unknown name, with those most like it; a name twice.
  """
  known = {layouts.normalize(template): template for template in templates}
  resolved = []
  for name in names:
    plain = layouts.normalize(name)
    if plain not in known:
      near = difflib.get_close_matches(plain, known, n=3, cutoff=0.5)
      near = ", ".join(repr(known[match]) for match in near)
      near = f"near it: {near}" if near else f"there are {len(known)} others"
      raise ValueError(f"unknown template {name!r}; {near}")
    if known[plain] in resolved:
      raise ValueError(f"the template {known[plain]!r} is named twice")
    resolved.append(known[plain])
  return tuple(resolved) or tuple(templates)


def choose(
  videos: Sequence[Video], selection: Selection, templates: Sequence[str]
) -> list[Video]:
  """Returns the videos of some templates, in their order.

  With `per_template` a higher number takes the same ones and more. `videos` are
  of one split, `templates` official spellings.
  """
  rows_of = {template: [] for template in templates}
  for row, video in enumerate(videos):
    if video.template in rows_of:
      rows_of[video.template].append(row)
  chosen = []
  for template, rows in rows_of.items():
    if selection.per_template:
      key = (selection.seed, zlib.crc32(template.encode()))
      order = np.random.default_rng(key).permutation(len(rows))
      rows = [rows[place] for place in order[: selection.per_template]]
    chosen += rows
  return [videos[row] for row in sorted(chosen)]


def caption(video: Video, kind: str) -> str:
  """Returns the instruction of a video."""
  return video.label if kind == "label" else layouts.plain(video.template)

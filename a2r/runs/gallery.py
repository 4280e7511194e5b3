"""Shows the simulator: one animated clip per key, a sheet, a page.

A key is an environment, a task and a source of behavior. Its clip is the first
draw that ends as its source should: an expert's success, any other's failure,
as the success function decides. A manifest keeps what made each animation, so
that one that is there whole is not made again.

Letters: T frames, H W image.
"""

import dataclasses
import importlib.metadata
import io
import itertools
import pathlib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from a2r import sim
from a2r.core import checks, files, images, templates
from a2r.evaluation import animation, tables
from a2r.sim.behavior import policies
from a2r.sim.tabletop import tasks

MANIFEST, SHEET, PAGE = "gallery.json", "sheet.png", "index.html"
# Of a row of the manifest.
_FIELDS = {"digest", "success", "draw", "still", "settings"}
_COLORS = {True: "#009E73", False: "#D55E00"}  # Color-blind safe.
_INK = "#222222"
_PACKAGES = ("jax", "mujoco", "numpy", "pillow")


class Key(NamedTuple):
  """What one animation shows."""

  environment: str
  task: str
  source: str

  @property
  def name(self) -> str:
    """Path without its suffix, such as train/close_drawer-expert."""
    return f"{self.environment.split('/')[-1]}/{self.task}-{self.source}"


@dataclasses.dataclass(frozen=True)
class Config:
  """What all animations share.

  Attributes:
    image_size: H = W in pixels.
    samples: rays per pixel side, against jagged edges.
    format: of `animation.FORMATS`.
    seed: of all randomness.
    num_frames: T, evenly spaced over the episode.
    code: digest of the code that makes the clips.
  """

  image_size: int = 160
  samples: int = 2
  format: str = "webp"
  seed: int = 0
  num_frames: int = 20
  code: str = ""


def file_name(key: Key, format_name: str) -> str:
  """Path of a key's animation in the gallery's folder."""
  return f"{key.name}.{format_name}"


def make_keys(
  environments: Sequence[str], names: Sequence[str], sources: Sequence[str]
) -> list[Key]:
  """Returns all combinations; no environments or no tasks stand for all.

  Raises:
    ValueError: an unknown or repeated name, or no source.
  """
  environments = environments or sim.ENVIRONMENTS
  names = names or tuple(sim.TASKS)
  checks.each_of("environment", environments, sim.ENVIRONMENTS)
  checks.each_of("task", names, sim.TASKS)
  checks.each_of("source", sources, policies.SOURCES)
  combinations = itertools.product(environments, sources, names)
  return [Key(place, task, source) for place, source, task in combinations]


def read_manifest(out: pathlib.Path) -> dict[str, dict[str, Any]]:
  """Returns what is known of each animation, by its key's name.

  A manifest that is not there or damaged knows nothing: all is made again. It
  says nothing of where a file is: anyone may have written it.
  """
  try:
    rows = files.read_json(out / MANIFEST)
    return {name: row for name, row in rows.items() if set(row) == _FIELDS}
  except (ValueError, AttributeError, TypeError):
    return {}


def missing(
  keys: Sequence[Key], config: Config, out: pathlib.Path
) -> list[Key]:
  """Returns the keys whose animations are not there whole and as configured."""
  manifest = read_manifest(out)

  def is_there(key):
    row = manifest.get(key.name)
    if row is None or row["settings"] != dataclasses.asdict(config):
      return False
    types = [type(row[name]) for name in ("success", "draw", "still")]
    if types != [bool, int, int] or not 0 <= row["still"] < config.num_frames:
      return False
    path = out / file_name(key, config.format)
    if not path.is_file() or files.digest(path)[:16] != row["digest"]:
      return False
    return animation.size(path) == (config.image_size, config.image_size)

  return [key for key in keys if not is_there(key)]


def make_clips(
  keys: Sequence[Key],
  config: Config,
  out: pathlib.Path,
  *,
  collect_fn: Callable[..., Any] = sim.collect,
) -> Iterator[Key]:
  """Makes animations, each written whole or not at all; yields their keys."""
  manifest = read_manifest(out)
  for key in keys:
    clips = collect_fn(
      *key,
      config.seed,
      1,
      num_frames=config.num_frames,
      image_size=config.image_size,
      want=key.source == "expert",
      samples=config.samples,
    )
    data = animation.encode(np.asarray(clips.frames[0]), config.format)
    name = file_name(key, config.format)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(out / name, data)
    manifest[key.name] = {
      "digest": files.digest(data)[:16],
      "success": bool(clips.success[0]),
      "draw": int(clips.seeds[0]),
      "still": key_frame(key.task, clips.states[0], config.num_frames),
      "settings": dataclasses.asdict(config),
    }
    files.write_json(out / MANIFEST, manifest)
    for other in set(animation.FORMATS) - {config.format}:
      (out / file_name(key, other)).unlink(missing_ok=True)
    yield key


def key_frame(task: str, states: np.ndarray, num_frames: int) -> int:
  """Returns the frame that shows most: the last; of a poke, the nearest one.

  Args:
    task: its name.
    states: `[61, 13]`, DVD's state at every control step.
    num_frames: T, how many frames stand for them.
  """
  if task != "poke_cup":
    return num_frames - 1
  stored = images.frame_indices(len(states), num_frames, "ends")
  return int(np.argmin(np.asarray(tasks.gripper_gap(states))[stored]))


def _draw_sheet(keys, manifest, size: int, out: pathlib.Path) -> bytes:
  """A PNG: a row per environment and source, a column per task."""
  rows = list(dict.fromkeys((key.environment, key.source) for key in keys))
  columns = list(dict.fromkeys(key.task for key in keys))
  font = ImageFont.load_default(max(9, size / 12))
  gap, bar = max(2, size // 32), max(2, size // 40)
  left, top = 24 + round(font.getlength("near miss  test3")), 24 + size // 6
  step_x, step_y = size + gap, size + bar + gap
  shape = left + step_x * len(columns), top + step_y * len(rows)
  sheet = Image.new("RGB", shape, "white")
  draw = ImageDraw.Draw(sheet)
  num_letters = max(1, int(size / font.getlength("n")))
  for column, task in enumerate(columns):
    at = left + column * step_x + size / 2, top - 8
    text = textwrap.fill(_words(task), num_letters, break_long_words=False)
    draw.text(at, text, _INK, font, "md", align="center")
  for row, (environment, source) in enumerate(rows):
    at = left - 10, top + step_y * row + size / 2
    text = f"{environment.split('/')[-1]}\n{_words(source)}"
    draw.text(at, text, _INK, font, "rm", align="right")
  for key in keys:
    made = manifest[key.name]
    y = top + step_y * rows.index((key.environment, key.source))
    x = left + step_x * columns.index(key.task)
    path = out / file_name(key, made["settings"]["format"])
    sheet.paste(animation.read_frame(path, made["still"]), (x, y))
    edge = (x, y + size, x + size - 1, y + size + bar - 1)
    draw.rectangle(edge, _COLORS[made["success"]])
  stream = io.BytesIO()
  sheet.save(stream, "PNG", optimize=True)
  return stream.getvalue()


def _words(name: str) -> str:
  return name.replace("_", " ")


def write_pages(
  keys: Sequence[Key], config: Config, out: pathlib.Path, command: str
) -> str:
  """Writes the sheet and the page of what `make_clips` made.

  Args:
    keys: all combinations of some names, see `make_keys`.
    config: they were made with.
    out: the gallery's folder.
    command: the command line that makes the gallery.

  Returns:
    A table of what is there: clips, labels and size by source.
  """
  manifest = read_manifest(out)
  environments, names, sources = (
    list(dict.fromkeys(column)) for column in zip(*keys, strict=True)
  )
  sheet = _draw_sheet(keys, manifest, config.image_size, out)
  files.write_bytes(out / SHEET, sheet)
  page = templates.render(
    "gallery.html",
    config=config,
    environments=environments,
    tasks={name: tasks.get(name).instruction for name in names},
    sources=sources,
    rows={
      tuple(key): manifest[key.name] | {"file": file_name(key, config.format)}
      for key in keys
    },
    colors=_COLORS,
    sheet=SHEET,
    command=command,
    versions={name: importlib.metadata.version(name) for name in _PACKAGES},
  )
  files.write_text(out / PAGE, page)
  rows = []
  for source in sources:
    made = [manifest[key.name] for key in keys if key.source == source]
    successes = sum(row["success"] for row in made)
    names = [file_name(k, config.format) for k in keys if k.source == source]
    size = sum((out / name).stat().st_size for name in names) / 1e6
    rows.append([source, len(made), successes, len(made) - successes, size])
  header = ["source", "clips", "successes", "failures", "MB"]
  return tables.Table("", header, rows).text()

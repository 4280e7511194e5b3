"""A gallery of the simulator: one animated clip per cell, a sheet, a page.

A cell is an environment, a task and a source of behavior. Its clip is the first
draw that ends as its source should: an expert's success, any other's failure,
as the success function judges it. A manifest keeps what made each animation, so
that one that is there whole is not made again.

Letters: T frames, H W image.
"""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from a2r import sim
from a2r.core import images
from a2r.evaluation import animation, tables
from a2r.sim.behavior import policies
from a2r.sim.tabletop import tasks

MANIFEST, SHEET, PAGE = "gallery.json", "sheet.png", "index.html"
COLORS = {True: "#009E73", False: "#D55E00"}  # Told apart by all eyes.


class Cell(NamedTuple):
  """What one animation shows."""

  environment: str
  task: str
  source: str

  @property
  def name(self) -> str:
    """Path without its suffix, such as train/close_drawer-expert."""
    return f"{self.environment.split('/')[-1]}/{self.task}-{self.source}"


@dataclasses.dataclass(frozen=True)
class Settings:
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


def make_cells(
  environments: Sequence[str], names: Sequence[str], sources: Sequence[str]
) -> list[Cell]:
  """All combinations; an empty list of environments or tasks stands for all.

  Raises:
    ValueError: an unknown or repeated name, or no source.
  """
  environments = environments or sim.ENVIRONMENTS
  names = names or tuple(sim.TASKS)
  for kind, chosen, known in (
    ("environments", environments, sim.ENVIRONMENTS),
    ("tasks", names, tuple(sim.TASKS)),
    ("sources", sources, policies.SOURCES),
  ):
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
      raise ValueError(f"unknown {kind} {unknown}; known: {', '.join(known)}")
    if len(set(chosen)) < len(chosen):
      raise ValueError(f"{kind} named twice: {', '.join(chosen)}")
  return [Cell(*key) for key in _product(environments, sources, names)]


def _product(environments, sources, names):
  for environment in environments:
    for source in sources:
      for name in names:
        yield environment, name, source


def read_manifest(out: pathlib.Path) -> dict[str, dict[str, Any]]:
  """Cell name -> what is known of its animation.

  A manifest that is not there or damaged knows nothing: all is made again.
  """
  try:
    rows = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
  except (FileNotFoundError, ValueError):
    return {}
  return rows if isinstance(rows, dict) else {}


def missing(
  cells: Sequence[Cell], settings: Settings, out: pathlib.Path
) -> list[Cell]:
  """The cells whose animations are not there whole with these settings."""
  manifest = read_manifest(out)
  wanted = dataclasses.asdict(settings)

  def is_there(cell):
    row = manifest.get(cell.name, {})
    path = out / row.get("file", "")
    whole = path.is_file() and _digest(path.read_bytes()) == row["digest"]
    return whole and row["settings"] == wanted

  return [cell for cell in cells if not is_there(cell)]


def make_clips(
  cells: Sequence[Cell],
  settings: Settings,
  out: pathlib.Path,
  *,
  collect_fn: Callable[..., Any] = sim.collect,
) -> Iterator[Cell]:
  """Makes the animations one by one, each written whole or not at all.

  Args:
    cells: what to make.
    settings: of all of them.
    out: the gallery's folder.
    collect_fn: the simulator, `sim.collect`.

  Yields:
    Each cell once its animation is there.
  """
  manifest = read_manifest(out)
  for cell in cells:
    clips = collect_fn(
      *cell,
      settings.seed,
      1,
      num_frames=settings.num_frames,
      image_size=settings.image_size,
      want=cell.source == "expert",
      samples=settings.samples,
    )
    data = animation.encode(np.asarray(clips.frames[0]), settings.format)
    file = f"{cell.name}.{settings.format}"
    write(out / file, data)
    old = manifest.get(cell.name, {}).get("file", file)
    manifest[cell.name] = {
      "file": file,
      "digest": _digest(data),
      "success": bool(clips.success[0]),
      "draw": int(clips.seeds[0]),
      "still": telling_frame(cell.task, clips.states[0], settings.num_frames),
      "settings": dataclasses.asdict(settings),
    }
    write(out / MANIFEST, json.dumps(manifest, indent=1).encode())
    if old != file:
      (out / old).unlink(missing_ok=True)
    yield cell


def telling_frame(task: str, states: np.ndarray, num_frames: int) -> int:
  """The frame that tells most: the last; of a poke, when the hand is nearest.

  Args:
    task: its name.
    states: `[61, 13]`, DVD's state at every control step.
    num_frames: T, how many frames stand for them.
  """
  if task != "poke_cup":
    return num_frames - 1
  stored = images.frame_indices(len(states), num_frames, "ends")
  return int(np.argmin(np.asarray(tasks.gripper_gap(states))[stored]))


def draw_sheet(
  cells: Sequence[Cell], settings: Settings, out: pathlib.Path
) -> bytes:
  """The most telling frames as one PNG: a row per environment and source.

  Args:
    cells: all of them made, see `make_clips`.
    settings: they were made with.
    out: the gallery's folder.
  """
  manifest, size = read_manifest(out), settings.image_size
  rows = list(dict.fromkeys((c.environment, c.source) for c in cells))
  columns = list(dict.fromkeys(cell.task for cell in cells))
  font = ImageFont.load_default(max(9, size / 12))
  gap, bar = max(2, size // 32), max(2, size // 40)
  left, top = 24 + round(font.getlength("near miss  test3")), 24 + size // 6
  step_x, step_y = size + gap, size + bar + gap
  shape = left + step_x * len(columns), top + step_y * len(rows)
  sheet = Image.new("RGB", shape, "white")
  draw = ImageDraw.Draw(sheet)
  for column, task in enumerate(columns):
    text = _fit(task.replace("_", " "), font, size)
    at = left + column * step_x + size / 2, top - 8
    draw.text(at, text, "#222222", font, "md", align="center")
  for cell in cells:
    row = manifest[cell.name]
    y = top + step_y * rows.index((cell.environment, cell.source))
    x = left + step_x * columns.index(cell.task)
    sheet.paste(animation.read_frame(out / row["file"], row["still"]), (x, y))
    edge = (x, y + size, x + size - 1, y + size + bar - 1)
    draw.rectangle(edge, COLORS[row["success"]])
    if cell.task == columns[0]:
      name = cell.environment.split("/")[-1]
      text = f"{name}\n{cell.source.replace('_', ' ')}"
      at = left - 10, y + size / 2
      draw.text(at, text, "#222222", font, "rm", align="right")
  stream = io.BytesIO()
  sheet.save(stream, "PNG", optimize=True)
  return stream.getvalue()


def _fit(text, font, width):
  """The text in as many lines as it needs to be no wider than `width`."""
  lines = [""]
  for word in text.split():
    longer = f"{lines[-1]} {word}".strip()
    if font.getlength(longer) <= width:
      lines[-1] = longer
    else:
      lines.append(word)
  return "\n".join(filter(None, lines))


def summary(cells: Sequence[Cell], out: pathlib.Path) -> str:
  """A table of what is there: clips, labels and size of each source."""
  manifest, rows = read_manifest(out), []
  for source in dict.fromkeys(cell.source for cell in cells):
    found = [manifest[cell.name] for cell in cells if cell.source == source]
    successes = sum(row["success"] for row in found)
    size = sum((out / row["file"]).stat().st_size for row in found) / 1e6
    rows.append([source, len(found), successes, len(found) - successes, size])
  header = ["source", "clips", "successes", "failures", "MB"]
  return tables.Table("", header, rows).text()


def write(path: pathlib.Path, data: bytes):
  """Writes a file whole or not at all; one that holds `data` is left alone."""
  if path.is_file() and path.read_bytes() == data:
    return
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
  try:
    partial.write_bytes(data)
    os.replace(partial, path)
  finally:
    partial.unlink(missing_ok=True)


def _digest(data: bytes) -> str:
  return hashlib.sha256(data).hexdigest()[:16]

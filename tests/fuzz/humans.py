"""Folders of Something-Something V2 with faults in labels and videos.

What is stored has the template and the label of its number; all the rest is
counted as bad.
"""

import functools
import json
from collections.abc import Iterator

import numpy as np

from tests.fuzz import films, stored
from tests.fuzz.harness import Case, Silent, Tools

DOOR = "ssv2"
_JSON = ("labels.json", "train.json", "validation.json")


def cases() -> Iterator[Case]:
  """Of labels, of whole files, of videos, and of layouts."""
  for name in _JSON:
    for number in range(20):
      run = functools.partial(_run_edited, name, number)
      yield Case(DOOR, f"{name} edit {number}", run)
    for how in ("deleted", "empty", "cut", "flipped", "text", "a folder"):
      run = functools.partial(_run_damaged, name, how)
      yield Case(DOOR, f"{name} {how}", run)
  for name in films._NONE:
    yield Case(DOOR, f"video {name}", functools.partial(_run_video, name))
  for name in _LAYOUTS:
    yield Case(DOOR, name, functools.partial(_run_layout, name))


def _store(path, tools, *names) -> str:
  outcome = tools.command(
    "ssv2", f"--from={path}", f"--to={tools.path / 'out'}",
    "--templates=all", "--num_frames=2", "--image_size=8", "--workers=1",
    "--max_bad_share=0.5", refuse=False, names=names,
  )  # fmt: skip
  if outcome == "valid":
    _check(tools)
  return outcome


def _check(tools):
  """Each clip has its own texts, and each video is a clip or listed."""
  from data import dataset

  whole = {}
  for split in ("train", "validation"):
    file = next(tools.things("ssv2").rglob(f"{split}.json"))
    whole |= {int(row["id"]): row for row in json.loads(file.read_text())}
  num = 0
  for folder in (tools.path / "out").glob("*/*"):
    if not list(folder.glob("*.tfrecord")):
      continue
    clips = dataset.open_dataset(folder, "human")
    faults = folder / "bad_videos.csv"
    bad = faults.read_text().splitlines()[1:] if faults.is_file() else []
    num += len(clips) + len(bad)
    for number, text, template in zip(
      clips.seed, clips.instruction, clips.template, strict=True
    ):
      row = whole.get(int(number))
      if row is None:
        raise Silent(f"there is no video {number}")
      if row["label"] != text:
        raise Silent(f"{number} is {text!r}, not {row['label']!r}")
      if row["template"].replace("[", "").replace("]", "") != template:
        raise Silent(f"{number} shows {template!r}")
  if num < len(whole):
    raise Silent(f"{num} of {len(whole)} videos are clips or listed as bad")


def _file(path, name):
  return next(path.rglob(name))


def _run_edited(name, number, tools: Tools) -> str:
  path = tools.things.copy("ssv2", tools.path)
  file = _file(path, name)
  value = json.loads(file.read_text())
  rng = np.random.default_rng([number, len(name)])
  what = stored.edit(value, rng)
  file.write_text(json.dumps(value))
  try:
    return _store(path, tools)
  except Exception as error:
    raise type(error)(f"{what}: {error}") from error


def _run_damaged(name, how, tools: Tools) -> str:
  path = tools.things.copy("ssv2", tools.path)
  stored.damage(_file(path, name), how, np.random.default_rng(0))
  return _store(path, tools)


def _run_video(name, tools: Tools) -> str:
  path = tools.things.copy("ssv2", tools.path)
  first = json.loads(_file(path, "train.json").read_text())[0]["id"]
  file = _file(path, f"{first}.webm")
  file.unlink()
  films._NONE[name](file)
  return _store(path, tools)


_LAYOUTS = {
  "no videos": lambda path: [p.unlink() for p in path.rglob("*.webm")],
  "half of the videos": lambda path: [
    p.unlink() for p in sorted(path.rglob("*.webm"))[::2]
  ],
  "videos elsewhere": lambda path: (
    path / "20bn-something-something-v2"
  ).rename(path / "movies"),
  "capitals": lambda path: [
    p.rename(p.with_suffix(".WEBM")) for p in path.rglob("*.webm")
  ],
  "two suffixes": lambda path: [
    p.with_suffix(".mp4").write_bytes(p.read_bytes())
    for p in path.rglob("*.webm")
  ],
  "all empty": lambda path: [p.write_bytes(b"") for p in path.rglob("*.webm")],
  "hidden files": lambda path: [
    p.with_name(f"._{p.name}").write_text("x") for p in path.rglob("*.webm")
  ],
  "labels twice": lambda path: [
    _double(path, split) for split in ("train", "validation")
  ],
}


def _double(path, split):
  file = _file(path, f"{split}.json")
  value = json.loads(file.read_text())
  file.write_text(json.dumps(value + value[:1]))


def _run_layout(name, tools: Tools) -> str:
  path = tools.things.copy("ssv2", tools.path)
  _LAYOUTS[name](path)
  return _store(path, tools)

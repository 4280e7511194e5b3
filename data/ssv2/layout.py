"""The files of the official download, wherever they lie in its folder.

The first release put `something-something-v2-train.json` and its like beside
the folder `20bn-something-something-v2` of videos; today's has `train.json` and
`test-answers.csv` in a folder `labels`. Both are read, and mixtures of them.
"""

import csv
import dataclasses
import os
import pathlib

from a2r.core import checks, files

ENVIRONMENT = "ssv2"  # Of its clips.
SPLITS = ("train", "validation", "test")
_FOLDERS = ("", "labels", "annotations")
_PREFIXES = ("something-something-v2-", "20bn-something-something-v2-", "")
_VIDEO_FOLDERS = (
  "20bn-something-something-v2",
  "videos/20bn-something-something-v2",
  "videos",
  "",
)
# As it comes, and as others store it.
_SUFFIXES = (".webm", ".mp4", ".mkv", ".avi")


@dataclasses.dataclass(frozen=True)
class Video:
  """One line of the annotations."""

  name: str  # The video's number, its file is `<name>.webm` or `<name>.mp4`.
  # As labels.json has it: 'Pushing something from left to right'.
  template: str
  # The template filled: 'pushing cup from left to right'. The answers of the
  # test split have no objects: there it is the template.
  label: str


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where things are."""

  folder: pathlib.Path  # Of the download.
  videos: pathlib.Path  # Folder of the video files.
  templates: tuple[str, ...]  # All 174, in the order of their numbers.
  annotations: dict[str, pathlib.Path]  # Of the splits that are there: JSON.
  answers: pathlib.Path | None  # test-answers.csv.

  def path(self, name: str) -> pathlib.Path:
    """Returns the file of a video, which may not be there."""
    files = [self.videos / f"{name}{suffix}" for suffix in _SUFFIXES]
    return next((file for file in files if file.is_file()), files[0])

  def digest(self) -> str:
    """Returns a hex digest: other annotations make another data set."""
    paths = [self.annotations[s] for s in SPLITS if s in self.annotations]
    paths += [self.answers] if self.answers is not None else []
    digests = (bytes.fromhex(files.digest(path)) for path in paths)
    return files.digest(*digests)[:16]


def find(manual_dir) -> Layout:
  """Finds the files of the download.

  Raises:
    FileNotFoundError: no such folder, no labels or no annotations in it; says
      what was looked for. Videos are looked for when they are read.
    ValueError: a file that is not what its name says.
  """
  folder = checks.path(manual_dir)
  if not folder.is_dir():
    raise FileNotFoundError(f"{folder}: no such folder")

  def find_annotation(name):
    places = (folder / f / f"{p}{name}" for f in _FOLDERS for p in _PREFIXES)
    return next((file for file in places if file.is_file()), None)

  labels = find_annotation("labels.json")
  annotations = {split: find_annotation(f"{split}.json") for split in SPLITS}
  for name, path in (("labels", labels), ("train", annotations["train"])):
    if path is None:
      raise FileNotFoundError(
        f"{folder}: neither {_PREFIXES[0]}{name}.json nor labels/{name}.json "
        "is there; it wants the annotations of Something-Something V2"
      )
  numbers = _read_json(labels, dict)
  if not all(str(number).isdecimal() for number in numbers.values()):
    raise ValueError(f"{labels}: templates with their numbers were expected")
  places = [folder / place for place in _VIDEO_FOLDERS]
  return Layout(
    folder=folder,
    # The official place where none has any video.
    videos=next(filter(has_videos, places), places[0]),
    templates=tuple(sorted(numbers, key=lambda label: int(numbers[label]))),
    annotations={split: path for split, path in annotations.items() if path},
    answers=find_annotation("test-answers.csv"),
  )


def load_split(layout: Layout, split: str) -> list[Video]:
  """Reads the videos of a split, in the order of its file.

  Raises:
    ValueError: an unknown split, a template that is not in labels.json, or a
      video without one: a test split without answers has nothing to learn.
    FileNotFoundError: the split's file is not there.
  """
  checks.one_of("split", split, SPLITS)
  if split not in layout.annotations:
    raise FileNotFoundError(f"{layout.folder}: no annotations of {split!r}")
  file = layout.annotations[split]
  known = {normalize(template): template for template in layout.templates}
  answers = {}
  if split == "test" and layout.answers is not None:
    # Lines of `78687;Holding something`.
    with layout.answers.open(encoding="utf-8-sig", newline="") as stream:
      rows = csv.reader(stream, delimiter=";")
      answers = {r[0].strip(): r[1].strip() for r in rows if len(r) > 1}
  videos = []
  for number, entry in enumerate(_read_json(file, list)):
    try:
      name = str(entry["id"])
      template = entry.get("template") or answers.get(name, "")
      label = entry.get("label") or (split == "test" and plain(template))
    except (KeyError, TypeError, AttributeError) as error:
      raise ValueError(f"{file}: entry {number} has no id") from error
    for key, value in (("template", template), ("label", label)):
      if not isinstance(value, str):
        raise ValueError(
          f"{file}: video {name} has no text for its {key}, but "
          f"{entry.get(key)!r}"
        )
    if not name.isdecimal():
      raise ValueError(f"{file}: entry {number} has the id {name!r}, no number")
    if not template:
      raise ValueError(
        f"{file}: video {name} has no template; the test split can be used "
        "only with test-answers.csv beside it"
      )
    if normalize(template) not in known:
      raise ValueError(
        f"{file}: video {name} has the template {template!r}, which is not "
        f"one of the {len(known)} in labels.json"
      )
    label = " ".join(label.split())
    videos.append(Video(name, known[normalize(template)], label))
  return videos


def count(layout: Layout, split: str) -> int:
  """Returns how many videos a split lists; 0 where it has no file."""
  file = layout.annotations.get(split)
  return 0 if file is None else len(_read_json(file, list))


def plain(template: str) -> str:
  """Returns a template as an instruction about something, in lower case."""
  return template.lower().replace("[", "").replace("]", "")


def normalize(template: str) -> str:
  """Returns what is equal for two spellings of one template."""
  return " ".join(plain(template).split()).rstrip(".")


def has_videos(folder: pathlib.Path) -> bool:
  """Returns whether a video file lies in a folder."""
  if not folder.is_dir():
    return False
  with os.scandir(folder) as entries:
    return any(entry.name.endswith(_SUFFIXES) for entry in entries)


def _read_json(file: pathlib.Path, kind: type):
  return checks.parse_json(file.read_bytes(), file, kind)

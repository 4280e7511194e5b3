"""Own videos: a CSV or JSON-lines manifest beside a folder of files.

    video,instruction,success
    clips/0001.mp4,closing drawer,true
    clips/0002.webm,closing drawer,false

Optional columns: task, template, environment, source. Paths are relative to
the manifest, or absolute. Without a manifest, folders tell as much:

    clips/closing drawer/success/0001.mp4
    clips/closing drawer/failure/0002.webm

Nothing here imports TensorFlow until clips are stored.

Letters: T frames, S picture size.
"""

import csv
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from data import episodes, video

_REQUIRED = ("video", "instruction", "success")
_OPTIONAL = ("task", "template", "environment", "source")
_OUTCOMES = {"success": True, "failure": False}
_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".gif")


class ManifestError(ValueError):
  """A fault in a manifest; one line that names the file and the line."""


@dataclasses.dataclass(frozen=True)
class Entry:
  """One video of a manifest.

  Attributes:
    video: path of the file.
    instruction: what the clip is about.
    success: whether it does it.
    line: line in the manifest, from 1; without one, the clip's number.
    name: the video as the manifest has it.
    task: name of the task; the instruction where none is given.
    template: the instruction's template, or ''.
    environment: where it was taken, or ''.
    source: who acted; 'video' where it is not said.
  """

  video: pathlib.Path
  instruction: str
  success: bool
  line: int
  name: str
  task: str = ""
  template: str = ""
  environment: str = ""
  source: str = "video"


def load_manifest(path) -> list[Entry]:
  """The entries of a `.csv` or `.jsonl` manifest, or of folders, checked.

  Raises:
    ManifestError: a file or column that is missing, a line that cannot be
      read, an empty instruction, a success that is neither true nor false, a
      video that does not exist, or no entry at all.
  """
  path = pathlib.Path(path).expanduser()
  if path.is_dir():
    return _folder_entries(path)
  if not path.is_file():
    raise ManifestError(f"{path}: no such manifest")
  readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
  if path.suffix.lower() not in readers:
    raise ManifestError(f"{path}: a manifest is one of {sorted(readers)}")
  try:
    rows = list(readers[path.suffix.lower()](path))
  except UnicodeDecodeError as error:
    raise ManifestError(f"{path}: not a UTF-8 text ({error.reason})") from error
  entries = [_entry(path, line, row) for line, row in rows]
  if not entries:
    raise ManifestError(f"{path}: lists no video")
  return entries


def store(
  manifest,
  root,
  *,
  num_frames: int,
  image_size: int,
  name: str = "robot",
) -> pathlib.Path:
  """Stores the videos of a manifest as TFRecord shards; returns their folder.

  A second call with the same manifest, videos and sizes finds what the first
  one made.

  Args:
    manifest: path of the manifest.
    root: where data sets are kept.
    num_frames: T, evenly spaced over the video, first and last included.
    image_size: S.
    name: first part of the shards' names.

  Raises:
    ManifestError: see `load_manifest`.
    VideoError: a video that cannot be read.
  """
  from data import records  # TensorFlow: seconds to import.
  from data import store as shards

  entries = load_manifest(manifest)
  spec = {
    "made_by": "data.folder",
    "num_frames": num_frames,
    "videos": [_identity(entry) for entry in entries],
  }

  def read(start, stop):
    for entry in entries[start:stop]:
      yield records.Record(
        frames=video.load_video(entry.video, num_frames=num_frames),
        instruction=entry.instruction,
        template=entry.template,
        task=entry.task,
        success=entry.success,
        source=entry.source,
        environment=entry.environment,
        seed=entry.line,
        name=entry.name,
      )

  return shards.store_clips(
    root,
    name,
    spec,
    num_clips=len(entries),
    read_fn=read,
    image_size=image_size,
  )


def _folder_entries(root: pathlib.Path) -> list[Entry]:
  """Entries of `<root>/<instruction>/{success,failure}/<video>`."""
  files = sorted(
    file
    for file in root.glob("*/*/*")
    if file.parent.name in _OUTCOMES and file.suffix.lower() in _SUFFIXES
  )
  if not files:
    raise ManifestError(
      f"{root}: a folder without videos under <instruction>/success or "
      f"<instruction>/failure ({', '.join(_SUFFIXES)}); or give a manifest, "
      "a .csv or .jsonl file"
    )
  entries = []
  for number, file in enumerate(files, 1):
    instruction = " ".join(file.parents[1].name.replace("_", " ").split())
    entries.append(
      Entry(
        video=file,
        instruction=instruction,
        success=_OUTCOMES[file.parent.name],
        line=number,
        name=file.relative_to(root).as_posix(),
        task=instruction,
      )
    )
  return entries


def _csv_rows(path: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
  with path.open(encoding="utf-8-sig", newline="") as stream:
    reader = csv.DictReader(stream, skipinitialspace=True)
    _check_columns(path, 1, reader.fieldnames or ())
    for row in reader:
      if None in row or None in row.values():
        raise ManifestError(
          f"{path}, line {reader.line_num}: {len(reader.fieldnames)} columns "
          "expected; put quotes around a text that holds a comma"
        )
      yield reader.line_num, row


def _jsonl_rows(path: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
  try:
    for line, row in episodes.json_lines(path):
      _check_columns(path, line, row)
      yield line, row
  except ValueError as error:
    raise ManifestError(str(error)) from error


def _check_columns(path: pathlib.Path, line: int, columns: Sequence[str]):
  for name in _REQUIRED:
    if name not in columns:
      raise ManifestError(
        f"{path}, line {line}: no {name!r} among {sorted(columns)}"
      )
  unknown = sorted(set(columns) - {*_REQUIRED, *_OPTIONAL})
  if unknown:
    raise ManifestError(
      f"{path}, line {line}: unknown column {unknown[0]!r}; known: "
      f"{[*_REQUIRED, *_OPTIONAL]}"
    )


def _entry(path: pathlib.Path, line: int, row: dict[str, Any]) -> Entry:
  """One row, checked."""
  texts = {}
  for name in ("video", "instruction", *_OPTIONAL):
    value = row.get(name) or ""
    if not isinstance(value, str):
      raise ManifestError(f"{path}, line {line}: {name} is not a text")
    texts[name] = " ".join(value.split()) if name != "video" else value.strip()
  if not texts["instruction"]:
    raise ManifestError(f"{path}, line {line}: the instruction is empty")
  name = texts.pop("video")
  file = path.parent / pathlib.Path(name).expanduser()
  if not file.is_file():
    raise ManifestError(f"{path}, line {line}: no such video: {file}")
  texts["task"] = texts["task"] or texts["instruction"]
  texts["source"] = texts["source"] or "video"
  try:
    success = episodes.boolean(row["success"], f"{path}, line {line}")
  except ValueError as error:
    raise ManifestError(str(error)) from error
  return Entry(video=file, success=success, line=line, name=name, **texts)


def _identity(entry: Entry) -> dict[str, Any]:
  """All of an entry that decides its record; a changed video changes it."""
  return dataclasses.asdict(entry) | {
    "video": episodes.identify(entry.video)[0]
  }

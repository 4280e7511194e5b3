"""Own videos: a CSV or JSON-lines manifest beside a folder of files.

    video,instruction,success
    clips/0001.mp4,closing drawer,true
    clips/0002.webm,closing drawer,false

Optional columns: task, template, environment, source. Paths are relative to
the manifest. Nothing here imports TensorFlow until clips are stored.

Letters: T frames, S picture size.
"""

import csv
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from data import images, video

_REQUIRED = ("video", "instruction", "success")
_OPTIONAL = ("task", "template", "environment", "source")
_TRUE = ("true", "yes", "1", "success")
_FALSE = ("false", "no", "0", "failure")
_CLIPS_PER_SHARD = 64


class ManifestError(ValueError):
  """A fault in a manifest; one line that names the file and the line."""


@dataclasses.dataclass(frozen=True)
class Entry:
  """One video of a manifest.

  Attributes:
    video: path of the file.
    instruction: what the clip is about.
    success: whether it does it.
    line: line in the manifest, from 1.
    task: name of the task; the instruction where none is given.
    template: the instruction's template, or ''.
    environment: where it was taken, or ''.
    source: who acted; 'video' where it is not said.
  """

  video: pathlib.Path
  instruction: str
  success: bool
  line: int
  task: str = ""
  template: str = ""
  environment: str = ""
  source: str = "video"


def load_manifest(path) -> list[Entry]:
  """The entries of a `.csv` or `.jsonl` manifest, checked.

  Raises:
    ManifestError: a file or column that is missing, a line that cannot be
      read, an empty instruction, a success that is neither true nor false, a
      video that does not exist, or no entry at all.
  """
  path = pathlib.Path(path).expanduser()
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

  entries = load_manifest(manifest)
  spec = {
    "format": records.FORMAT,
    "num_frames": num_frames,
    "image_size": image_size,
    "videos": [_identity(entry) for entry in entries],
  }

  def make(shard):
    for entry in entries[shard * _CLIPS_PER_SHARD :][:_CLIPS_PER_SHARD]:
      frames = video.load_video(entry.video, num_frames=num_frames)
      yield records.Record(
        frames=images.resize(frames, image_size),
        instruction=entry.instruction,
        template=entry.template,
        task=entry.task,
        success=entry.success,
        source=entry.source,
        environment=entry.environment,
        seed=entry.line,
      )

  folder = records.spec_folder(root, name, spec)
  num_shards = -(-len(entries) // _CLIPS_PER_SHARD)
  return records.write_shards(folder, name, spec, num_shards, make)


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
  for line, words in enumerate(
    path.read_text(encoding="utf-8-sig").splitlines(), 1
  ):
    if not words.strip():
      continue
    try:
      row = json.loads(words)
    except ValueError as error:
      raise ManifestError(f"{path}, line {line}: not JSON ({error})") from error
    if not isinstance(row, dict):
      raise ManifestError(f"{path}, line {line}: not a JSON object")
    _check_columns(path, line, row)
    yield line, row


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
  file = path.parent / pathlib.Path(texts.pop("video")).expanduser()
  if not file.is_file():
    raise ManifestError(f"{path}, line {line}: no such video: {file}")
  texts["task"] = texts["task"] or texts["instruction"]
  texts["source"] = texts["source"] or "video"
  success = _boolean(path, line, row["success"])
  return Entry(video=file, success=success, line=line, **texts)


def _boolean(path: pathlib.Path, line: int, value: Any) -> bool:
  words = str(value).strip().lower()
  if words not in _TRUE + _FALSE:
    raise ManifestError(
      f"{path}, line {line}: success is {value!r}, neither true nor false"
    )
  return words in _TRUE


def _identity(entry: Entry) -> dict[str, Any]:
  """All of an entry that decides its record; a changed video changes it."""
  stat = entry.video.stat()
  return dataclasses.asdict(entry) | {
    "video": str(entry.video.resolve()),
    "size": stat.st_size,
    "modified": stat.st_mtime_ns,
  }

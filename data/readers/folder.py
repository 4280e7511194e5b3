"""Own videos: a CSV or JSON-lines manifest beside a folder of files.

    video,instruction,success
    clips/0001.mp4,closing drawer,true
    clips/0002.webm,closing drawer,false

Optional columns: task, template, environment, source. Paths are relative to
the manifest, or absolute; semicolons and tabs part columns too. Without a
manifest, folders tell as much:

    clips/closing drawer/success/0001.mp4
    clips/closing drawer/failure/0002.webm

In any case and in the plural too. Hidden files and the folders __MACOSX, which
macOS leaves beside videos, are no clips.
"""

import collections
import dataclasses
import pathlib
from typing import Any

from a2r.core import checks, text
from data import video
from data.readers import base
from data.records import Record

_REQUIRED = ("video", "instruction", "success")
_OPTIONAL = ("task", "template", "environment", "source")
_SUCCESS = "success successes successful succeeded"
_FAILURE = "failure failures fail fails failed unsuccessful"
_OUTCOMES = dict.fromkeys(_SUCCESS.split(), True)
_OUTCOMES |= dict.fromkeys(_FAILURE.split(), False)
_MANIFESTS = (".csv", ".tsv", ".jsonl")
_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".gif")
# A video file and all that is known of its clip but the pictures.
Entry = tuple[pathlib.Path, Record]


def open_clips(path: str | pathlib.Path, options: base.Options) -> base.Clips:
  """Opens the videos of a manifest or of folders; see `data.readers.base`.

  Raises:
    ValueError: see `load_manifest`.
  """
  entries = load_manifest(path)

  def read(start, stop):
    for file, record in entries[start:stop]:
      try:
        frames = video.load_video(file, num_frames=options.num_frames)
      except (video.VideoError, OSError) as error:
        reason = str(error).removeprefix(f"{file}: ")
        yield base.BadClip(record.name, reason)
      else:
        yield dataclasses.replace(record, frames=frames)

  names = ("instruction", "success", "name", *_OPTIONAL)
  spec = {
    "made_by": "data.folder",
    "num_frames": options.num_frames,
    "videos": [
      {"video": _identify(file), "line": record.seed}
      | {name: getattr(record, name) for name in names}
      for file, record in entries
    ],
  }
  left_out = _left_out(checks.path(path))
  notes = [f"{path}: {left_out}"] if left_out else []
  return base.Clips(len(entries), read, spec, notes)


def load_manifest(path: str | pathlib.Path) -> list[Entry]:
  """Returns the videos of a `.csv` or `.jsonl` manifest, or of folders.

  The seed of a clip is its line in the manifest, from 1; without one, its
  number. Its name is its path as the manifest has it.

  Raises:
    ValueError: a file or column that is missing, a line that cannot be read,
      an empty instruction, a success that is neither true nor false, too many
      videos that do not exist (`base.check_left_out`), a clip that is a success
      and a failure of one instruction, or no entry at all.
  """
  path = checks.path(path)
  if path.is_dir():
    return _folder_entries(path)
  entries, missing, rows = [], [], _manifest_rows(path)
  for line, row in rows:
    where = f"{path}, line {line}"
    name = _text(row, "video", where).strip()
    if not name:
      raise ValueError(f"{where}: it names no video")
    file = path.parent / checks.path(name)
    if not file.is_file():
      missing.append(base.BadClip(f"line {line}", f"no such video: {file}"))
    entries.append(_entry(file, name, where, line, row))
  base.check_left_out(missing, len(rows), str(path))
  _check_labels(entries, path)
  return entries


def _check_labels(entries: list[Entry], path: pathlib.Path):
  """Fails where a clip is a success and a failure of one instruction."""
  first = {}
  for file, record in entries:
    key = file.resolve(), text.pre_text(record.instruction)
    known = first.setdefault(key, record)
    if known.success != record.success:
      raise ValueError(
        f"{path}: {record.name!r} is a {_outcome(known)} of "
        f"{record.instruction!r} in line {known.seed} and a {_outcome(record)} "
        f"in line {record.seed}"
      )


def _outcome(record: Record) -> str:
  return "success" if record.success else "failure"


def _identify(file: pathlib.Path) -> list:
  """As `base.identify`; of a file that is missing, its name alone."""
  return base.identify(file)[0] if file.is_file() else [str(file)]


def _folder_entries(root: pathlib.Path) -> list[Entry]:
  """The clips of <instruction>/{success,failure}/<video>."""
  files = [file for file in _list_files(root) if not _why_not(root, file)]
  if not files:
    raise ValueError(
      f"{root}: a folder without videos under <instruction>/success or "
      f"<instruction>/failure ({', '.join(_SUFFIXES)}); or give a manifest, "
      f"a .csv or .jsonl file ({_left_out(root) or 'it is empty'})"
    )
  entries = []
  for number, file in enumerate(files, 1):
    name = file.relative_to(root).as_posix()
    instruction, outcome, _ = name.split("/")
    instruction = instruction.replace("_", " ")
    success = _OUTCOMES[outcome.strip().lower()]
    row = {"instruction": instruction, "success": success}
    entries.append(_entry(file, name, f"{file}", number, row))
  return entries


def _list_files(root: pathlib.Path) -> list[pathlib.Path]:
  """All files of a folder, in order; links to folders are followed to clips."""
  paths = {*root.glob("*/*/*"), *root.rglob("*")}
  return sorted(path for path in paths if not path.is_dir())


def _why_not(root: pathlib.Path, file: pathlib.Path) -> str:
  """Why a file of a folder is no clip, '' if it is one."""
  folders = file.relative_to(root).parts
  if any(part.startswith(".") or part == "__MACOSX" for part in folders):
    return "hidden or of __MACOSX"
  if file.suffix.lower() not in _SUFFIXES:
    return f"none of {', '.join(_SUFFIXES)}"
  if len(folders) != 3 or folders[1].strip().lower() not in _OUTCOMES:
    return "in other folders"
  return "" if file.exists() else "a link to nothing"


def _left_out(root: pathlib.Path) -> str:
  """Says which files of a folder are no clips and why; '' if all are."""
  files = _list_files(root) if root.is_dir() else []
  why = collections.defaultdict(list)
  for file in files:
    why[_why_not(root, file)].append(file.relative_to(root).as_posix())
  num_clips = len(why.pop("", ()))
  reasons = "; ".join(
    f"{len(names)} {reason}, such as {names[0]!r}"
    for reason, names in why.items()
  )
  num = len(files) - num_clips
  return f"left out: {num} of {len(files)} files ({reasons})" if why else ""


def _manifest_rows(path: pathlib.Path) -> list[tuple[int, dict[str, Any]]]:
  """Line and fields of each video, the names of the fields checked."""
  if not path.is_file():
    raise ValueError(f"{path}: no such manifest")
  suffix = path.suffix.lower()
  if suffix not in _MANIFESTS:
    raise ValueError(f"{path}: a manifest is one of {list(_MANIFESTS)}")
  if suffix == ".jsonl":
    heads = rows = list(base.json_lines(path))
  else:
    columns, rows = base.csv_rows(path)
    heads = [(1, columns)]
  for line, columns in heads:
    where = f"{path}, line {line}"
    for name in _REQUIRED:
      if name not in columns:
        raise ValueError(f"{where}: no {name!r} among {sorted(columns)}")
    unknown = sorted(set(columns) - {*_REQUIRED, *_OPTIONAL})
    if unknown:
      known = [*_REQUIRED, *_OPTIONAL]
      raise ValueError(
        f"{where}: unknown column {unknown[0]!r}; known: {known}"
      )
  if not rows:
    raise ValueError(f"{path}: lists no video")
  return rows


def _text(row, name: str, where: str) -> str:
  value = row.get(name) or ""
  if not isinstance(value, str):
    raise ValueError(f"{where}: {name} is not a text")
  return value


def _entry(file: pathlib.Path, name: str, where: str, line: int, row) -> Entry:
  """One row, checked."""
  texts = {
    key: " ".join(_text(row, key, where).split())
    for key in ("instruction", *_OPTIONAL)
  }
  if not texts["instruction"]:
    raise ValueError(f"{where}: the instruction is empty")
  texts["task"] = texts["task"] or texts["instruction"]
  texts["source"] = texts["source"] or "video"
  success = base.parse_boolean(row["success"], where)
  record = Record(frames=(), success=success, seed=line, name=name, **texts)
  return file, record

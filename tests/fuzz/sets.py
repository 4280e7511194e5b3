"""Data sets of own clips with faults: manifests, folders, LeRobot, RLDS.

A clip that is stored has to have its own pictures and label, and one that is
not has to be told: the set is refused, or a note counts it.
"""

import contextlib
import csv
import functools
import io
import json
import shutil
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow
import pyarrow.parquet

from tests.fuzz import harness, stored
from tests.fuzz.harness import Case, Silent, Tools

NAMES = ("a", "b", "c", "d", "e", "f")
TEXT = "closing drawer"
GRAYS = {name: range(20 * n, 20 * n + 40, 10) for n, name in enumerate(NAMES)}
_COLUMNS = ("video", "instruction", "success")


def level(name: str) -> int:
  """Gray of a clip's first frame."""
  return GRAYS[name][0]


# Manifests: the lines of a CSV file, changed. What the labels are then: those
# of the whole file but for `labels`; None: it has to be refused.
def _lines() -> list[list[str]]:
  rows = [
    [f"{name}.gif", TEXT, str(number % 2 == 0).lower()]
    for number, name in enumerate(NAMES)
  ]
  return [list(_COLUMNS), *rows]


def _csv(rows, delimiter=",", end="\n", quote=csv.QUOTE_MINIMAL) -> str:
  stream = io.StringIO()
  csv.writer(
    stream, delimiter=delimiter, lineterminator=end, quoting=quote
  ).writerows(rows)
  return stream.getvalue()


def _with(row, column, value):
  rows = _lines()
  rows[row][column] = value
  return _csv(rows)


def _jsonl(**changes):
  """The lines as objects, the second one changed."""
  objects = [dict(zip(_COLUMNS, row, strict=True)) for row in _lines()[1:]]
  for key, value in changes.items():
    if value is ...:
      del objects[1][key]
    else:
      objects[1][key] = value
  return "\n".join(map(json.dumps, objects))


def _manifests() -> Iterator[tuple[str, str, str | bytes, dict | None]]:
  """Name, suffix, content, and other labels or None for what is refused."""
  whole = _csv(_lines())
  for name, text in {
    "crlf": _csv(_lines(), end="\r\n"),
    "cr": _csv(_lines(), end="\r"),
    "semicolon": _csv(_lines(), ";"),
    "tab": _csv(_lines(), "\t"),
    "quoted": _csv(_lines(), quote=csv.QUOTE_ALL),
    "bom": "\ufeff" + whole,
    "blank lines": whole.replace("\n", "\n\n"),
    "no last end": whole.rstrip("\n"),
    "spaces": whole.replace(",", " , "),
    "header case": whole.replace("video,", "Video,", 1),
    "header blanks": whole.replace("video,", " video ,", 1),
    "header twice": whole.replace("success", "success,success", 1),
    "header unknown": whole.replace("success", "succes", 1),
    "header alone": "video,instruction,success\n",
    "no header": "\n".join(whole.split("\n")[1:]),
    "empty": "",
    "blank": "\n\n \n",
    "nul": whole.replace("true", "tr\x00ue", 1),
    "open quote": whole.replace(TEXT, f'"{TEXT}', 1),
    "one more field": whole.replace("true\n", "true,x\n", 1),
    "one less field": whole.replace(",true\n", "\n", 1),
    "huge field": whole.replace(TEXT, "x" * 200_000, 1),
    "control": whole.replace(TEXT, "closing\x07drawer", 1),
    "last line cut": whole[:-12],
    "comment": "# mine\n" + whole,
  }.items():
    yield name, ".csv", text, {}
  for encoding in ("utf-16", "utf-32", "latin-1", "utf-8-sig"):
    text = whole.replace("drawer", "dräwer")
    yield encoding, ".csv", text.encode(encoding), {}
  for number, value in enumerate(
    ("TRUE", "Yes", "1", "1.0", "success", " true ", "Success", "y", "t")
  ):
    yield f"true {number}", ".csv", _with(2, 2, value), {"b": True}
  for number, value in enumerate(
    ("FALSE", "no", "0", "0.0", "failure", "failed", "n", "f")
  ):
    yield f"false {number}", ".csv", _with(1, 2, value), {"a": False}
  for number, value in enumerate(
    ("", " ", "maybe", "2", "0.5", "nan", "NaN", "null", "None", "-1", "-",
     "true false", "ture", "10", "1e0", "[1]", "inf")
  ):  # fmt: skip
    yield f"label {number}", ".csv", _with(1, 2, value), None
  for number, value in enumerate(("", " ", "\t")):
    yield f"no video {number}", ".csv", _with(1, 0, value), None
  for number, value in enumerate((".", "/", "a.gif/", "a", "\u2028", "*.gif")):
    yield f"video {number}", ".csv", _with(1, 0, value), {}
  for number, value in enumerate(("", " ", "  \t")):
    yield f"text {number}", ".csv", _with(1, 1, value), None
  yield "video twice", ".csv", _csv([*_lines(), _lines()[1]]), {}
  other = [*_lines(), ["a.gif", TEXT, "false"]]
  yield "two labels", ".csv", _csv(other), None
  yield "path with dots", ".csv", _with(1, 0, "../{folder}/a.gif"), {}
  other = [*_lines(), ["./a.gif", TEXT, "false"]]
  yield "two labels of one path", ".csv", _csv(other), None
  yield "one missing of six", ".csv", _with(1, 0, "g.gif"), {}
  yield "a folder", ".csv", _with(1, 0, "below"), {}
  for suffix in (".txt", ".tsv", "", ".json", ".xlsx", ".CSV"):
    yield f"suffix {suffix}", suffix, whole, {}
  for number, value in enumerate((True, "true", 1, 1.0, "yes")):
    yield f"json true {number}", ".jsonl", _jsonl(success=value), {"b": True}
  for number, value in enumerate(
    (None, "", [], {}, [True], 0.5, 2, -1, "x", float("nan"), ...)
  ):
    yield f"json label {number}", ".jsonl", _jsonl(success=value), None
  for key in ("video", "instruction"):
    for number, value in enumerate((None, "", 5, [], {"a": 1}, True, ...)):
      yield f"json {key} {number}", ".jsonl", _jsonl(**{key: value}), None
  yield "json array", ".jsonl", "[" + _jsonl().replace("\n", ",\n") + "]", None
  yield "json cut", ".jsonl", _jsonl()[:-5], None
  yield "json unknown key", ".jsonl", _jsonl(sucess=True), None
  yield "json text", ".jsonl", '"x"\n', None
  twice = _jsonl().replace('"success": "true"', '"success": 0, "success": 1', 1)
  yield "json key twice", ".jsonl", twice, None


def manifest_cases() -> Iterator[Case]:
  """All of the above."""
  for name, suffix, content, labels in _manifests():
    run = functools.partial(_run_manifest, suffix, content, labels)
    yield Case("manifests", name, run)
  for number in range(30):
    run = functools.partial(_run_flipped_manifest, number)
    yield Case("manifests", f"a byte {number}", run)
  for name in _FOLDERS:
    yield Case(
      "manifests", f"folder {name}", functools.partial(_run_folder, name)
    )


def _run_manifest(suffix, content, labels, tools: Tools) -> str:
  from data.readers import folder

  path = tools.things.copy("gifs", tools.path)
  (path / "below").mkdir()
  file = path / f"mine{suffix}"
  if isinstance(content, str):
    content = content.replace("{folder}", path.name).encode()
  file.write_bytes(content)
  return _judge(
    lambda: _read(folder, file, tools.path / "store"),
    None if labels is None else _truth() | labels,
    file.name,
  )


def _run_flipped_manifest(number, tools: Tools) -> str:
  """A changed letter makes another text, or another file: it must be told."""
  from data.readers import folder

  path = tools.things.copy("gifs", tools.path)
  file = path / "mine.csv"
  content = bytearray(_csv(_lines()).encode())
  rng = np.random.default_rng(number)
  begin = content.index(b"\n")
  place = rng.integers(begin, len(content))
  while content[place : place + 1] in b"closing drawer":
    place = rng.integers(begin, len(content))
  content[place] = rng.integers(1, 256)
  file.write_bytes(content)
  try:
    text = content.decode()
    rows = list(csv.reader(io.StringIO(text)))[1:]
    truth = {r[0][:1]: r[2] for r in rows if len(r) == 3}
  except (UnicodeDecodeError, csv.Error, IndexError):
    truth = {}
  words = {"true": True, "false": False}
  truth = {
    name: words.get(word.strip().lower()) for name, word in truth.items()
  }
  return _judge(
    lambda: _read(folder, file, tools.path / "store"),
    {k: v for k, v in truth.items() if v is not None},
    file.name,
  )


def _truth() -> dict[str, bool]:
  return {name: number % 2 == 0 for number, name in enumerate(NAMES)}


def _read(reader, path, root, **options):
  """The labels and grays that are stored, and all that was said."""
  from data import dataset, store
  from data.readers import base

  clips = reader.open_clips(path, base.Options(num_frames=3, **options))
  folder = store.store_clips(clips, root, "robot", image_size=16)
  notes = [*clips.notes, *store.clip_notes(folder, clips)]
  found = dataset.open_dataset(folder, "robot")
  grays = [found.read(row).frames.mean((1, 2, 3)) for row in range(len(found))]
  return found, grays, notes, clips.num


def _judge(read_fn: Callable, truth: dict | None, *names: str) -> str:
  """Compares what was stored with the truth."""
  try:
    found, grays, notes, num = read_fn()
  except harness.MISTAKES as error:
    return harness.told(str(error), names)
  if truth is None:
    raise Silent(f"it was read: {list(found.success)} {notes}")
  if len(found) < num and not any("left out" in note for note in notes):
    raise Silent(f"{len(found)} of {num} clips, and no note: {notes}")
  for row, gray in enumerate(grays):
    name = next((n for n in NAMES if abs(level(n) - gray[0]) < 9), None)
    if name not in truth:
      raise Silent(f"a clip of gray {gray} is none of {sorted(truth)}")
    if bool(found.success[row]) != truth[name]:
      raise Silent(f"{name} is read as {found.success[row]}, {notes}")
  missing = len(truth) - len(found)
  if missing > 0 and not any("left out" in note for note in notes):
    raise Silent(f"{missing} of {len(truth)} are missing, no note: {notes}")
  return "valid"


# Folders <instruction>/success and so on: what is done to a whole one, and
# whether it has to be refused.
def _rename(old, new):
  return lambda root: (root / old).rename(root / new)


_FOLDERS = {
  "capitals": _rename("close it/success", "close it/SUCCESS"),
  "plural": _rename("close it/failure", "close it/Failures"),
  "typo": _rename("close it/success", "close it/sucess"),
  "blank": _rename("close it", " "),
  "underscore": _rename("close it", "close_it"),
  "dots": _rename("close it", "..."),
  "hidden": _rename("close it", ".close it"),
  "no outcome": lambda root: [
    p.rename(root / "close it" / p.name)
    for p in (root / "close it/success").iterdir()
  ],
  "deeper": lambda root: shutil.move(root / "close it", root / "x/y/close it"),
  "empty": lambda root: shutil.rmtree(root / "close it"),
  "a link to itself": lambda root: (root / "close it/loop").symlink_to(root),
  "a broken link": lambda root: (root / "close it/success/z.gif").symlink_to(
    root / "nothing"
  ),
  "text files": lambda root: [
    (root / f"close it/success/{n}.mp4").write_text("x") for n in range(3)
  ],
  "one empty": lambda root: (root / "close it/success/a.gif").write_bytes(b""),
  "all empty": lambda root: [p.write_bytes(b"") for p in root.rglob("*.gif")],
  "a folder named as a video": lambda root: (
    root / "close it/success/z.mp4"
  ).mkdir(),
  "mac": lambda root: (root / "close it/success/._a.gif").write_text("x"),
  "no suffix": _rename("close it/success/a.gif", "close it/success/a"),
  "wrong suffix": _rename("close it/success/a.gif", "close it/success/a.mp4"),
}


def _run_folder(name, tools: Tools) -> str:
  from data.readers import folder

  gifs, root = tools.things("gifs"), tools.path / "clips"
  for clip, success in _truth().items():
    place = root / "close it" / ("success" if success else "failure")
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(gifs / f"{clip}.gif", place)
  (root / "x/y").mkdir(parents=True)
  _FOLDERS[name](root)
  return _judge(
    lambda: _read(folder, root, tools.path / "store"), _truth(), "clips"
  )


# LeRobot and RLDS: a file of the set, changed.
def _tables(root):
  return sorted(root.rglob("*.parquet"))


def _change_table(rng, file):
  """Takes out, empties or mixes up a part of a table."""
  table = pyarrow.parquet.read_table(file)
  name = table.column_names[rng.integers(table.num_columns)]
  row = int(rng.integers(table.num_rows))
  rows = table.to_pylist()
  match rng.integers(7):
    case 0:
      table = table.drop_columns([name])
    case 1:
      table = table.take(pyarrow.array(rng.permutation(table.num_rows)))
    case 2:
      table = pyarrow.concat_tables([table, table.slice(row, 1)])
    case 3:
      table = table.slice(0, 0)
    case wrong:
      value = [None, float("nan"), -1][int(wrong) - 4]
      rows[row][name] = value
      with contextlib.suppress(pyarrow.ArrowException):
        values = [r[name] for r in rows]
        column = pyarrow.array(values)
        place = table.column_names.index(name)
        table = table.set_column(place, name, column)
  pyarrow.parquet.write_table(table, file)


def _change_lerobot(rng, root):
  files = sorted(p for p in root.rglob("*") if p.is_file())
  films = [p for p in files if p.suffix == ".mp4"]
  match rng.integers(6):
    case 0 | 1:
      tables = _tables(root)
      _change_table(rng, tables[rng.integers(len(tables))])
    case 2:
      info = root / "meta/info.json"
      value = json.loads(info.read_text())
      stored.edit(value, rng)
      info.write_text(json.dumps(value))
    case 3:
      how = ("deleted", "empty", "cut", "text", "a folder")[rng.integers(5)]
      stored.damage(files[rng.integers(len(files))], how, rng)
    case 4:
      one, two = rng.choice(films, 2, replace=len(films) < 2)
      content = one.read_bytes(), two.read_bytes()
      one.write_bytes(content[1])
      two.write_bytes(content[0])
    case 5:
      file = [p for p in files if p.suffix != ".mp4"]
      harness.flip(file[rng.integers(len(file))], rng, 3)


def _change_rlds(rng, root):
  files = sorted(p for p in root.rglob("*") if p.is_file())
  texts = [p for p in files if p.suffix == ".json"]
  match rng.integers(3):
    case 0:
      file = texts[rng.integers(len(texts))]
      value = json.loads(file.read_text())
      stored.edit(value, rng)
      file.write_text(json.dumps(value))
    case 1:
      how = ("deleted", "empty", "cut", "text", "a folder")[rng.integers(5)]
      stored.damage(files[rng.integers(len(files))], how, rng)
    case 2:
      harness.flip(files[rng.integers(len(files))], rng, 2)


_SETS = {"lerobot": _change_lerobot, "lerobot2": _change_lerobot}
_SETS |= {"rlds": _change_rlds}


def set_cases(door: str, num: int) -> Iterator[Case]:
  """Seeded changes of a set."""
  for number in range(num):
    yield Case(door, str(number), functools.partial(_run_set, door, number))


def _run_set(door, number, tools: Tools) -> str:
  from data.readers import lerobot, rlds

  reader = rlds if door == "rlds" else lerobot
  whole = tools.things.kept(
    ("whole", door),
    lambda: _read(reader, tools.things(door), tools.path / "whole"),
  )
  path = tools.things.copy(door, tools.path)
  rng = np.random.default_rng([number, len(door)])
  _SETS[door](rng, path)
  try:
    found, grays, notes, num = _read(reader, path, tools.path / "store")
  except harness.MISTAKES as error:
    return harness.told(str(error), [door])
  known = {
    str(name): (bool(success), gray)
    for name, success, gray in zip(
      whole[0].name, whole[0].success, whole[1], strict=True
    )
  }
  said = any("NO SUCCESS FIELD" in note for note in notes)
  for name, success, gray in zip(found.name, found.success, grays, strict=True):
    if str(name) not in known:
      raise Silent(f"{name} is not there: {notes}")
    odd = any("may be another episode's" in note for note in notes)
    if np.abs(known[str(name)][1] - gray).max() > 6 and not odd:
      raise Silent(f"{name}: {gray}, not {known[str(name)][1]}: {notes}")
    if bool(success) != known[str(name)][0] and not said:
      raise Silent(f"{name} is read as {success}: {notes}")
  if len(found) < len(known) and not any("left out" in n for n in notes):
    raise Silent(f"{len(found)} of {len(known)}, no note: {notes}")
  return "valid"

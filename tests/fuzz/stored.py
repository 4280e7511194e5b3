"""Damaged runs, exported rewards and conversions, and their JSON files edited.

What is loaded all the same must give the very scores of the whole one.
"""

import functools
import json
import shutil
import zlib
from collections.abc import Iterator

import jax
import numpy as np

from a2r import reward
from a2r.core import digests
from a2r.models import pretrained
from tests.fuzz import harness
from tests.fuzz.harness import Case, Tools

DOOR = "stored"
_RUN_FILES = ("config.json", "reward.json", "tokenizer.json", "checkpoints")
_EXPORT_FILES = ("config.json", "model.safetensors", "tokenizer.json")
_FOLDER_FILES = ("config.json", "backbone.safetensors", "tokenizer.json")
_FILES = {"run": _RUN_FILES, "export": _EXPORT_FILES, "folder": _FOLDER_FILES}
_WRONG = {
  "null": None, "text": "x", "list": [], "object": {}, "true": True,
  "minus": -1, "nan": float("nan"), "huge": 10**12, "half": 0.5,
}  # fmt: skip
_EDITED = {"run": ("config.json", "reward.json"), "export": ("config.json",)}
_DAMAGES = ("deleted", "empty", "cut", "flipped", "text", "a folder", "a link")
_NUM_EDITS = 110  # Of each file of settings.


def cases() -> Iterator[Case]:
  """Whole files first, then values in them."""
  for thing, names in _FILES.items():
    for name in names:
      for damage in _DAMAGES:
        for number in range(4 if damage == "flipped" else 1):
          yield Case(
            DOOR,
            f"{thing}---{name} {damage} {number}",
            functools.partial(_run_damaged, thing, name, damage, number),
          )
    yield Case(
      DOOR,
      f"{thing}---digests edited",
      functools.partial(_run_digests, thing),
    )
  for thing, names in _EDITED.items():
    for name in names:
      for number in range(_NUM_EDITS):
        yield Case(
          DOOR,
          f"{thing}---{name} edit {number}",
          functools.partial(_run_edited, thing, name, number),
        )


def _load(thing, path, tools):
  """What decides all scores: the scores of some clips and the texts."""
  if thing == "folder":
    source = pretrained.read(path)
    return source.params, source.config
  model = reward.load(path)
  texts = model.instructions
  scores = model.scores(tools.things.clips, texts)
  return scores, texts, model.trained_instructions, model.form


def _is_whole(thing, tools, found):
  known = tools.things.kept(
    ("whole", thing), lambda: _load(thing, tools.things(thing), tools)
  )
  same = [np.array_equal(a, b) for a, b in _leaves(found, known)]
  return all(same)


def _leaves(left, right):
  pairs = jax.tree.leaves(left), jax.tree.leaves(right)
  if len(pairs[0]) != len(pairs[1]):
    yield 0, 1
  yield from zip(*pairs, strict=False)


def damage(path, how, rng):
  """Spoils a file, or a file of a folder."""
  if path.is_dir() and how in ("empty", "cut", "flipped", "text"):
    files = [p for p in path.rglob("*") if p.is_file() and p.stat().st_size]
    files.sort()
    path = files[rng.integers(len(files))]
  match how:
    case "deleted" if path.is_dir():
      shutil.rmtree(path)
    case "deleted":
      path.unlink()
    case "empty":
      path.write_bytes(b"")
    case "cut":
      harness.cut(path, rng.uniform(0.05, 0.95))
    case "flipped":
      harness.flip(path, rng)
    case "text":
      path.write_text("Page not found\n")
    case "a folder" | "a link":
      if path.is_dir():
        shutil.rmtree(path)
      else:
        path.unlink()
      if how == "a folder":
        path.mkdir()
      else:
        path.symlink_to(path)


def _seeded(*words):
  return np.random.default_rng(zlib.crc32(repr(words).encode()))


def _run_damaged(thing, name, how, number, tools: Tools) -> str:
  path = tools.things.copy(thing, tools.path)
  damage(path / name, how, _seeded(thing, name, how, number))
  return tools.either(
    lambda: _load(thing, path, tools),
    lambda found: _is_whole(thing, tools, found),
    str(path.name),
  )


def _run_digests(thing, tools: Tools) -> str:
  path = tools.things.copy(thing, tools.path)
  (path / digests.FILE).write_text('["x"]')
  return tools.refused(lambda: _load(thing, path, tools), digests.FILE)


def _places(value, path=()):
  """The places of all values in a JSON value."""
  items = ()
  if path[-1:] == ("instructions",):  # A text is as good as another.
    return
  if isinstance(value, dict):
    items = value.items()
  elif isinstance(value, list):
    items = enumerate(value)
  for key, item in items:
    yield (*path, key)
    yield from _places(item, (*path, key))


def edit(value, rng) -> str:
  """Takes a value out of a JSON object, or gives one another kind."""
  places = list(_places(value))
  *way, last = places[rng.integers(len(places))]
  for key in way:
    value = value[key]
  wrong = list(_WRONG)[rng.integers(len(_WRONG))]
  # A shorter list is as good as a longer one.
  if rng.random() < 0.3 and not isinstance(value, list):
    del value[last]
    return f"{way}.{last} deleted"
  value[last] = _WRONG[wrong]
  return f"{way}.{last} is {wrong}"


def _run_edited(thing, name, number, tools: Tools) -> str:
  path = tools.things.copy(thing, tools.path)
  (path / digests.FILE).unlink(missing_ok=True)  # Else it would be told so.
  value = json.loads((path / name).read_text())
  what = edit(value, _seeded(thing, name, number))
  (path / name).write_text(json.dumps(value))
  try:
    return tools.either(
      lambda: _load(thing, path, tools),
      lambda found: _is_whole(thing, tools, found),
      str(path.name),
    )
  except Exception as error:
    raise type(error)(f"{what}: {error}") from error

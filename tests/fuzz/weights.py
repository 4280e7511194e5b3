"""Files of published weights: damaged, with other keys, shapes and kinds.

What is converted all the same has the very weights of the whole file.
"""

import functools
import os
import pickle
import zipfile
from collections.abc import Iterator

import jax
import numpy as np
import safetensors.numpy

from a2r.core import torch_file
from a2r.models import pretrained
from tests.fuzz import harness
from tests.fuzz.harness import Case, Silent, Tools
from tests.fuzz.things import ROOT

DOOR = "weights"
TINY = ROOT / "tests/golden/singularity_tiny.pth"


def _edits(rng, state):
  """Name of an edit to the state, changed; the same in other places by rng."""
  names = sorted(state)
  key = names[rng.integers(len(names))]
  other = names[rng.integers(len(names))]
  value = state[key]
  odd = value.copy() if value.size else value
  if odd.size and odd.dtype.kind == "f":
    odd.flat[rng.integers(odd.size)] = rng.choice([np.nan, np.inf, -np.inf])
  without = {k: v for k, v in state.items() if k != key}
  yield "lacks a key", without
  yield "a key more", state | {"more.weight": np.zeros(3, np.float32)}
  yield "a key renamed", without | {f"{key}x": value}
  yield "a prefix", {f"module.{k}": v for k, v in state.items()}
  yield "not finite", state | {key: odd}
  yield "flat", state | {key: value.ravel()}
  yield "one more axis", state | {key: value[None]}
  yield "turned", state | {key: np.ascontiguousarray(value.T)}
  yield "empty", state | {key: value[:0] if value.ndim else value.ravel()[:0]}
  yield "doubled", state | {key: np.concatenate([value.ravel()] * 2)}
  yield "of another", state | {key: state[other]}
  yield "whole numbers", state | {key: (value * 0).astype(np.int32)}
  yield "booleans", state | {key: value > 0}
  yield "half", {k: v.astype(np.float16) if v.dtype == np.float32 else v
                 for k, v in state.items()}  # fmt: skip
  yield "double", {k: v.astype(np.float64) if v.dtype == np.float32 else v
                   for k, v in state.items()}  # fmt: skip
  yield "huge", state | {key: np.full_like(value, 3e38)}
  yield "nothing", {}


_NUM_EDITS = 17
# Values as good as the file's, or what is told of them.
_SOUND = {"half", "double", "of another", "turned", "huge", "whole numbers"}


def cases() -> Iterator[Case]:
  """Of the .pth file and of .safetensors."""
  for number in range(24):
    yield Case(DOOR, f"flip {number}", functools.partial(_run_flip, number))
  for number in range(10):
    share = (0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999)[number]
    yield Case(DOOR, f"cut {share}", functools.partial(_run_cut, share))
  for number in range(12):
    yield Case(DOOR, f"head {number}", functools.partial(_run_head, number))
  for number in range(_NUM_EDITS):
    for seed in range(3):
      run = functools.partial(_run_edit, number, seed)
      yield Case(DOOR, f"edit {number} {seed}", run)
  for name in _STRANGE:
    yield Case(DOOR, name, functools.partial(_run_strange, name))
  for number in range(12):
    run = functools.partial(_run_vocab, number)
    yield Case(DOOR, f"vocab {number}", run)


def _convert(path, tools, *more, check, names, refuse=False):
  target = tools.path / "out"
  outcome = tools.command(
    "convert",
    f"--from={path}",
    f"--to={target}",
    f"--vocab={tools.things('vocab')}",
    *more,
    refuse=refuse,
    names=names,
  )
  if outcome == "line" and target.exists():
    raise Silent("a folder was left behind")
  if outcome == "valid" and not check(target):
    raise Silent("other weights")
  return outcome


def _params(target):

  return jax.tree.leaves(pretrained.read(target).params)


def _is_whole(tools, target):
  whole = tools.things.kept(
    "whole weights", lambda: _params(tools.things("folder"))
  )
  return all(map(np.array_equal, _params(target), whole))


def _run_flip(number, tools: Tools) -> str:
  path = tools.path / "tiny.pth"
  path.write_bytes(TINY.read_bytes())
  harness.flip(path, np.random.default_rng(number))
  return _convert(
    path, tools, check=lambda t: _is_whole(tools, t), names=["tiny.pth"]
  )


def _run_cut(share, tools: Tools) -> str:
  path = tools.path / "tiny.pth"
  path.write_bytes(TINY.read_bytes())
  harness.cut(path, share)
  return _convert(
    path, tools, check=lambda t: _is_whole(tools, t), names=["tiny.pth"]
  )


def _state():
  return {k: np.array(v) for k, v in torch_file.load(TINY)["model"].items()}


def _run_head(number, tools: Tools) -> str:
  """A bit of the head: of names, shapes, kinds and places."""
  path = tools.path / "tiny.safetensors"
  safetensors.numpy.save_file(_state(), path)
  content = bytearray(path.read_bytes())
  size = int.from_bytes(content[:8], "little")
  rng = np.random.default_rng(number)
  content[rng.integers(0, 8 + size)] ^= 1 << rng.integers(8)
  path.write_bytes(content)
  return _convert(path, tools, check=lambda t: _is_whole(tools, t), names=[])


def _run_edit(number, seed, tools: Tools) -> str:
  rng = np.random.default_rng([number, seed])
  name, state = list(_edits(rng, _state()))[number]
  path = tools.path / "tiny.safetensors"
  dense = {k: np.ascontiguousarray(v) for k, v in state.items()}
  safetensors.numpy.save_file(dense, path)
  try:
    return _convert(
      path,
      tools,
      check=lambda t: name in _SOUND or _is_whole(tools, t),
      names=[],
    )
  except Exception as error:
    raise type(error)(f"{name}: {error}") from error


class _Calls:
  def __reduce__(self):
    return (open, (os.devnull,))


def _zip(path, members):
  with zipfile.ZipFile(path, "w") as file:
    for name, content in members.items():
      file.writestr(name, content)


_STRANGE = {
  "text": lambda path: path.write_text("404"),
  "a pickle": lambda path: path.write_bytes(pickle.dumps({"model": 3})),
  "a call": lambda path: path.write_bytes(pickle.dumps(_Calls())),
  "zip of nothing": lambda path: _zip(path, {}),
  "zip of a call": lambda path: _zip(
    path, {"a/data.pkl": pickle.dumps(_Calls()), "a/version": "3"}
  ),
  "zip of a number": lambda path: _zip(
    path, {"a/data.pkl": pickle.dumps(5), "a/version": "3"}
  ),
  "zip of a list": lambda path: _zip(
    path, {"a/data.pkl": pickle.dumps([1, 2]), "a/version": "3"}
  ),
  "zip of texts": lambda path: _zip(
    path, {"a/data.pkl": pickle.dumps({"model": {"x": "y"}}), "a/version": "3"}
  ),
  "zip of no pickle": lambda path: _zip(path, {"a/data.pkl": b"xx"}),
  "zip bomb": lambda path: _zip(
    path, {"a/data.pkl": pickle.dumps({"model": {}}), "a/data/0": b"\0" * 10**7}
  ),
  "folder": lambda path: path.mkdir(),
  "npz": lambda path: np.savez(path.open("wb"), a=np.zeros(3)),
}


def _run_strange(name, tools: Tools) -> str:
  path = tools.path / "tiny.pth"
  _STRANGE[name](path)
  return _convert(path, tools, check=bool, names=["tiny.pth"], refuse=True)


def _run_vocab(number, tools: Tools) -> str:
  words = tools.things("vocab").read_text().split("\n")[:-1]
  rng = np.random.default_rng(number)
  place = int(rng.integers(len(words)))
  content = "\n".join(
    [
      words[:-1],
      [*words, "more"],
      [*words[:place], words[place - 1], *words[place + 1 :]],
      [],
      [*words[:-1], ""],
      [w.replace("[CLS]", "[XXX]") for w in words],
      [w.replace("[PAD]", "pad") for w in words],
      [w.replace("[UNK]", "unk") for w in words],
      [w.replace("[MASK]", "mask") for w in words],
      [w.replace("[SEP]", "sep") for w in words],
      [*words[:-1], "\x00"],
      [*words[:-1], "two words"],
    ][number]
  )
  file = tools.path / "vocab.txt"
  file.write_text(content + "\n")
  return tools.command(
    "convert",
    f"--from={TINY}",
    f"--to={tools.path / 'out'}",
    f"--vocab={file}",
    refuse=number < 10,
    names=["vocab"],
  )

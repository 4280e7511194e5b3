"""Small data sets and weights; TensorFlow is imported when first used."""

import contextlib
import importlib
import pathlib
import resource
import sys
from typing import NamedTuple

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from a2r.core import text
from a2r.models.convert import files
from a2r.runs import conversion
from configs import envgen
from launch import app

TINY = pathlib.Path(__file__).parent / "golden" / "singularity_tiny.pth"


class Done(NamedTuple):
  """What a program that has ended left behind."""

  code: int
  out: str
  err: str


@pytest.fixture
def launch(monkeypatch, capsys):
  """Function of a main's name and its arguments; runs it in this process.

  Every call starts with the flags that the main defines, and no others.
  """

  def run(name, *arguments):
    flag_values = flagsaver.save_flag_values()
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    flags.FLAGS.unparse_flags()
    code = 0
    capsys.readouterr()
    try:
      code = app.call(importlib.import_module(f"launch.{name}").main)
    except SystemExit as error:
      code = error.code
    finally:
      flagsaver.restore_flag_values(flag_values)
      package = sys.modules["launch"]
      for module in set(sys.modules) - {"launch.app"}:
        if module.startswith("launch."):
          del sys.modules[module]
          delattr(package, module.removeprefix("launch."))
    return Done(code, *capsys.readouterr())

  return run


@pytest.fixture
def no_room():
  """Context manager in which no file can grow beyond some bytes, as a limit of
  the system's: what writers meet on a full disk."""

  @contextlib.contextmanager
  def limit(num_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
      yield
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, before)

  return limit


def write_clips(root):
  """Two robot tasks and three human templates, eight clips of each."""
  from data import records, store

  rng = np.random.default_rng(0)

  def clip(template, noun, task="", success=True, source="human"):
    return records.Record(
      frames=rng.integers(0, 255, (4, 16, 16, 3), np.uint8),
      instruction=template.lower().replace("something", noun),
      template=template,
      task=task,
      success=success,
      source=source,
    )

  robot = [
    clip(template, "cup", task, success, "expert" if success else "random")
    for template, task in (
      ("Opening something", "open"),
      ("Closing something", "close"),
    )
    for success in (True, False)
    for _ in range(8)
  ]
  human = [
    clip(template, noun)
    for template in (
      "Closing something",
      "Opening something",
      "Moving something up",
    )
    for noun in ("box", "jar") * 4
  ]
  for name, clips in (("robot", robot), ("human", human)):
    store.write_shards(
      root / name, name, {}, [len(clips)], lambda _, c=clips: c
    )


def make_config(root):
  """Settings of a run on the clips that are stored in a folder."""
  config = envgen.get_config("smoke")
  config.data.robot.update(source="records", path=f"{root}/robot", tasks=())
  config.data.human.update(
    source="records",
    path=f"{root}/human",
    templates=(),
    clips_per_template=8,
  )
  config.data.validation.update(successes=3, failures=2, share=0.5)
  config.model.backbone.image_size = 16
  config.model.backbone.stem_features = (8,)
  return config


@pytest.fixture(name="own_config", scope="session")
def _own_config():
  """Function of a folder to settings of a run on the clips stored there."""
  return make_config


@pytest.fixture(name="own", scope="session")
def _own(tmp_path_factory):
  """Settings of a run on stored clips, and its opened data."""
  root = tmp_path_factory.mktemp("own")
  write_clips(root)
  config = make_config(root)
  from a2r.runs import data_settings
  from a2r.runs import datasets as prepare

  settings = data_settings.DataSettings.from_config(config.data)
  return config, prepare.open_data(settings, seed=0, use_failures=True)


@pytest.fixture(scope="session")
def vocab(tmp_path_factory):
  """A vocabulary of as many words as the tiny word table has."""
  letters = [chr(ord("a") + i) for i in range(26)]
  words = [*text.SPECIAL, *letters, *("##" + letter for letter in letters)]
  words += [f"word{i}" for i in range(101 - len(words))]
  path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
  path.write_text("\n".join(words) + "\n", encoding="utf-8")
  return path


@pytest.fixture(scope="session")
def folder(vocab, tmp_path_factory):
  """A converted folder."""
  path = tmp_path_factory.mktemp("runs") / "singularity"
  options = files.Options(vocab=vocab)
  source = conversion.read(TINY, options)
  conversion.write(source, path, options, "the command")
  return path

"""Published weights to a folder and back, as their user does it."""

import dataclasses
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import types

import jax
import numpy as np
import pytest
import safetensors.numpy

from a2r.core import text, torch_file
from a2r.models import convert, encoders, singularity
from launch import convert_sources, convert_targets, initial, weight_files

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
TINY = GOLDEN / "singularity_tiny.pth"
PRETRAIN = GOLDEN / "singularity_tiny_pretrain.pth"
Options = convert_sources.Options


@pytest.fixture(scope="module")
def vocab(tmp_path_factory):
  """A vocabulary of as many words as the tiny word table has."""
  letters = [chr(ord("a") + i) for i in range(26)]
  words = [*text.SPECIAL, *letters, *("##" + letter for letter in letters)]
  words += [f"word{i}" for i in range(101 - len(words))]
  path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
  path.write_text("\n".join(words) + "\n", encoding="utf-8")
  return path


@pytest.fixture(scope="module")
def folder(vocab, tmp_path_factory):
  """A converted folder."""
  path = tmp_path_factory.mktemp("runs") / "singularity"
  options = Options(vocab=vocab)
  source = convert_sources.from_path(TINY, options)
  convert_targets.write(source, path, options, "the command")
  return path


def _tiny():
  """The published keys and arrays."""
  return torch_file.load(TINY)["model"]


def _assert_same(actual, expected):
  assert actual.keys() == expected.keys()
  for key, value in actual.items():
    assert value.dtype == expected[key].dtype, key
    np.testing.assert_array_equal(value, expected[key], key)


def test_folder_holds_what_a_run_needs(folder):
  assert {path.name for path in folder.iterdir()} == {
    "README.md",
    "backbone.safetensors",
    "config.json",
    "tokenizer.json",
  }
  found = weight_files.load(folder)
  fields = json.loads((folder / "config.json").read_text())
  assert found.config == singularity.Config(**fields)
  assert (found.config.width, found.config.temporal_feature) == (32, False)
  assert found.tokenizer.vocab_size == 101
  np.testing.assert_array_equal(
    found.params["itm_head"]["kernel"], _tiny()["itm_head.weight"].T
  )
  readme = (folder / "README.md").read_text()
  assert "the command" in readme
  assert "singularity_tiny.pth, SHA-256 " in readme
  assert "--config.model.backbone.image_size=32" in readme
  # Others may read it too.
  mode = (folder / "backbone.safetensors").stat().st_mode
  assert mode == (folder / "config.json").stat().st_mode


def test_way_back_is_the_file_it_came_from(folder, tmp_path):
  target = tmp_path / "model.safetensors"
  source = convert_sources.from_path(folder, Options())
  convert_targets.write(source, target, Options(), "")
  _assert_same(torch_file.load(target), _tiny())
  assert list(tmp_path.iterdir()) == [target]


def test_pretraining_layout_comes_back_with_its_head(vocab, tmp_path):
  options = Options(vocab=vocab, mlm=True)
  source = convert_sources.from_path(PRETRAIN, options)
  assert source.card["layout"] == "pre-training"
  convert_targets.write(source, tmp_path / "folder", options, "")
  target = tmp_path / "model.safetensors"
  again = convert_sources.from_path(tmp_path / "folder", options)
  convert_targets.write(again, target, options, "")
  expected = {
    key: value.astype(np.float32) if value.dtype == np.float16 else value
    for key, value in torch_file.load(PRETRAIN)["model"].items()
  }
  _assert_same(torch_file.load(target), expected)
  # Without it the head is left behind.
  assert not convert_sources.from_path(
    tmp_path / "folder", Options()
  ).config.mlm


def _zeros(model, names, _):
  shapes = convert._shapes(model)
  return {name: np.zeros(shapes[name].shape, np.float32) for name in names}


def _settings(folder, **fields):
  """What a config has under `model`."""
  stored = json.loads((folder / "config.json").read_text())
  return types.SimpleNamespace(
    init=str(folder),
    backbone=stored | fields,
    num_failure_prompts=2,
    failure_prompt_length=1,
    domain_prompt_length=1,
  )


DATA = types.SimpleNamespace(texts=["word1 word2", "word3"], num_trained=2)


def test_a_run_starts_from_it_at_another_size(folder, monkeypatch):
  # Random weights, of which none is kept, take long to compile.
  monkeypatch.setattr(
    initial.adapt2reward,
    "init_params",
    lambda model, *_: jax.tree.map(
      lambda leaf: np.zeros(leaf.shape, leaf.dtype), encoders.params_like(model)
    ),
  )
  fields = {"image_size": 48, "num_frames": 6, "itm": False}
  start = initial.make_start(_settings(folder, **fields), DATA)
  assert start.card["layout"] == "fine-tuned"
  params = start.init_fn(jax.random.key(0))["backbone"]
  assert params["temporal"]["embeddings"].shape == (1, 6, 1, 32)
  table = params["vision"]["layer_0"]["relative_position_table"]
  assert table.shape == (11 * 11 + 3, 4)
  old = weight_files.load(folder).params
  np.testing.assert_array_equal(
    params["temporal"]["embeddings"][:, :4], old["temporal"]["embeddings"]
  )
  assert "fusion_0" not in params
  np.testing.assert_array_equal(
    params["text_0"]["output"]["kernel"], old["text_0"]["output"]["kernel"]
  )


def test_sizes_that_cannot_be_fitted_are_one_line(folder):
  with pytest.raises(
    ValueError, match="model.init=.*width is 32, wanted is 64"
  ) as error:
    initial.make_start(_settings(folder, width=64), DATA)
  assert "config.model.backbone" in str(error.value)
  assert "\n" not in str(error.value)


def test_published_weights_are_no_start_before_they_are_converted(
  folder, tmp_path
):
  path = tmp_path / "model.safetensors"
  safetensors.numpy.save_file({"temp": np.ones(1)}, path)
  settings = _settings(folder)
  settings.init = str(path)
  with pytest.raises(ValueError, match="launch.convert --from="):
    initial.make_start(settings, DATA)


def test_hugging_face_folders(vocab, tmp_path, monkeypatch):
  # Drawing is tested with the models, and takes long to compile.
  monkeypatch.setattr(convert, "_fresh", _zeros)
  for name, prefix in (("beit", "vision_encoder."), ("bert", "text_encoder.")):
    state = {
      key.removeprefix(prefix): value
      for key, value in _tiny().items()
      if key.startswith(prefix) and "crossattention" not in key
    }
    (tmp_path / name).mkdir()
    path = tmp_path / name / "model.safetensors"
    safetensors.numpy.save_file(state, path)
  (tmp_path / "bert" / "vocab.txt").write_text(vocab.read_text())
  options = Options(seed=1)
  source = convert_sources.from_parts(
    tmp_path / "beit", tmp_path / "bert", options
  )
  c = source.config
  assert (c.fusion_layer, c.embed_dim, c.num_frames) == (3, 256, 4)
  assert len(source.card["from"]) == 2
  told = convert_targets.describe(source)
  assert "only here, drawn anew (62): itm_head.bias" in told
  convert_targets.write(source, tmp_path / "start", options, "")
  assert weight_files.load(tmp_path / "start").tokenizer.vocab_size == 101
  with pytest.raises(FileNotFoundError, match="none of model.safetensors"):
    convert_sources.from_parts(tmp_path, tmp_path / "bert", options)


def test_berts_vocabulary_ships():
  path = weight_files.shipped_vocabulary()
  words = path.read_text(encoding="utf-8").split("\n")
  assert (len(words), words[-1]) == (30523, "")
  places = [words.index(word) for word in text.SPECIAL]
  assert places == [0, 100, 101, 102, 103]
  tokenizer = text.Tokenizer.from_vocab(words[:-1])
  ids, mask = tokenizer(["Closing the drawer!"], 6)
  pieces = [words[i] for i in ids[0][mask[0] == 1]]
  assert pieces == ["[CLS]", "closing", "the", "drawer"]


def test_berts_vocabulary_is_the_default_for_its_table(folder):
  source = convert_sources.from_path(TINY, Options())
  config = dataclasses.replace(source.config, vocab_size=30522)
  tokenizer = convert_targets.make_tokenizer(
    source._replace(config=config), None
  )
  assert tokenizer.vocab_size == 30522


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
  source = convert_sources.from_path(TINY, Options())
  with pytest.raises(ValueError, match="101 rows, bert_vocab.txt 30522"):
    convert_targets.write(source, tmp_path / "x", Options(), "")
  bare = dataclasses.replace(source.config, itm=False)
  with pytest.raises(ValueError, match="no place for itm=False"):
    target = tmp_path / "x.safetensors"
    convert_targets.write(source._replace(config=bare), target, Options(), "")

  def fail(*args):
    raise OSError("disk full")

  monkeypatch.setattr(weight_files, "save_backbone", fail)
  tokenizer = text.Tokenizer.train(["words"], vocab_size=30)
  with pytest.raises(OSError, match="disk full"):
    convert_targets.write(
      source._replace(tokenizer=tokenizer), tmp_path / "x", Options(), ""
    )
  assert list(tmp_path.iterdir()) == []


def _python(*arguments):
  env = os.environ | {"XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
  return subprocess.run(
    [sys.executable, *map(str, arguments)],
    capture_output=True,
    text=True,
    cwd=ROOT,
    env=env,
  )


def test_command_line(vocab, tmp_path):
  target = tmp_path / "there"
  target.mkdir()
  torch = importlib.util.find_spec("torch")
  mistakes = [
    ((f"--from={TINY}",), "--to is missing"),
    ((f"--to={tmp_path}/x",), "pass either --from, or both --beit and --bert"),
    ((f"--to={tmp_path}/x", "--beit=b"), "pass either --from"),
    ((f"--to={target}", f"--from={TINY}"), "is there already"),
    ((f"--to={tmp_path}/x", f"--from={vocab}"), "is no weights file"),
    ((f"--to={tmp_path}/x", "--from=nowhere.pth"), "nowhere.pth"),
    ((f"--to={tmp_path}/x", f"--from={tmp_path}"), "checkpoints"),
  ]
  if not torch:
    mistakes.append(((f"--to={tmp_path}/x.pth", "--from=a"), "needs PyTorch"))
  lines = [["convert", *arguments] for arguments, _ in mistakes]
  good = ["convert", f"--from={TINY}", f"--to={tmp_path}/x", f"--vocab={vocab}"]
  # One process for all: most of its time is importing.
  code = (
    "import sys\nfrom absl import flags\nfrom launch import common, convert\n"
    f"for sys.argv in {lines}:\n"
    "  try:\n    common.run(convert.main)\n"
    "  except SystemExit as error:\n    assert error.code == 2\n"
    "  else:\n    raise AssertionError(sys.argv)\n"
    "  flags.FLAGS.unparse_flags()\n"
    "  for f in ('from', 'to', 'beit'):\n    flags.FLAGS[f].unparse()\n"
    f"sys.argv = {good}\n"
    "common.run(convert.main)\n"
    "heavy = {'tensorflow', 'mujoco', 'torch'} & set(sys.modules)\n"
    "assert not heavy, heavy\n"
  )
  done = _python("-c", code)
  assert done.returncode == 0, done.stderr
  told = done.stderr.strip().splitlines()
  assert len(told) == len(mistakes), done.stderr
  for line, (_, message) in zip(told, mistakes, strict=True):
    assert message in line
  assert done.stdout.startswith(
    "210 keys, layout fine-tuned, 96,051 parameters\n4 frames of 32 x 32"
  )
  assert f"--config.model.init={tmp_path}/x" in done.stdout


def test_pytorch_reads_what_is_written(folder, tmp_path):
  torch = pytest.importorskip("torch")
  source = convert_sources.from_path(folder, Options())
  target = tmp_path / "model.pth"
  convert_targets.write(source, target, Options(), "")
  state = torch.load(target, weights_only=True)["model"]
  original = torch.load(TINY, weights_only=False)["model"]
  assert state.keys() == original.keys()
  for key, value in state.items():
    assert value.dtype == original[key].dtype
    assert torch.equal(value, original[key]), key

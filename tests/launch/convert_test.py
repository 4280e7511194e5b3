"""Published weights to a folder and back, as their user does it."""

import dataclasses
import importlib.util
import json
import pathlib

import numpy as np
import pytest
import safetensors.numpy

from a2r.core import torch_file
from a2r.models import pretrained
from a2r.models.convert import files, state_dict
from a2r.models.singularity import singularity
from a2r.runs import conversion

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
TINY = GOLDEN / "singularity_tiny.pth"
PRETRAIN = GOLDEN / "singularity_tiny_pretrain.pth"
Options = files.Options


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
    "digests.json",
    "tokenizer.json",
  }
  found = pretrained.read(folder)
  fields = json.loads((folder / "config.json").read_text())
  assert found.config == singularity.Config(**fields)
  assert (found.config.width, found.config.temporal_feature) == (32, False)
  assert found.tokenizer.vocab_size == 101
  np.testing.assert_array_equal(
    found.params["itm_head"]["kernel"], _tiny()["itm_head.weight"].T
  )
  readme = (folder / "README.md").read_text()
  assert "the command" in readme
  assert "singularity_tiny.pth`, SHA-256 " in readme
  assert "--config.model.backbone.image_size=32" in readme
  # Others may read it too.
  mode = (folder / "backbone.safetensors").stat().st_mode
  assert mode == (folder / "config.json").stat().st_mode


def test_way_back_is_the_file_it_came_from(folder, tmp_path):
  source = conversion.read(folder, Options())
  targets = [tmp_path / "model.safetensors"]
  targets += [tmp_path / "model.pth"] * bool(importlib.util.find_spec("torch"))
  for target in targets:
    conversion.write(source, target, Options(), "")
    found = torch_file.load(target)
    _assert_same(found.get("model", found), _tiny())
  assert set(tmp_path.iterdir()) == set(targets)


def test_pretraining_layout_comes_back_with_its_head(vocab, tmp_path):
  options = Options(vocab=vocab, mlm=True)
  source = conversion.read(PRETRAIN, options)
  assert source.card["layout"] == "pre-training"
  conversion.write(source, tmp_path / "folder", options, "")
  target = tmp_path / "model.safetensors"
  again = conversion.read(tmp_path / "folder", options)
  conversion.write(again, target, options, "")
  expected = {
    key: value.astype(np.float32) if value.dtype == np.float16 else value
    for key, value in torch_file.load(PRETRAIN)["model"].items()
  }
  _assert_same(torch_file.load(target), expected)
  # Without it the head is left behind.
  assert not conversion.read(tmp_path / "folder", Options()).config.mlm


def _zeros(model, names, _):
  shapes = state_dict._shapes(model)
  return {name: np.zeros(shapes[name].shape, np.float32) for name in names}


def test_hugging_face_folders(vocab, tmp_path, monkeypatch):
  # Drawing is tested with the models, and takes long to compile.
  monkeypatch.setattr(state_dict, "_fresh", _zeros)
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
  source = files.read_parts(tmp_path / "beit", tmp_path / "bert", options)
  c = source.config
  assert (c.fusion_layer, c.embed_dim, c.num_frames) == (3, 256, 4)
  assert len(source.card["from"]) == 2
  told = files.describe(source)
  assert "only here, drawn anew (62): itm_head.bias" in told
  conversion.write(source, tmp_path / "start", options, "")
  start = pretrained.read(tmp_path / "start")
  assert start.tokenizer.vocab_size == 101
  with pytest.raises(FileNotFoundError, match="none of model.safetensors"):
    files.read_parts(tmp_path, tmp_path / "bert", options)


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
  source = conversion.read(TINY, Options())
  with pytest.raises(ValueError, match="101 rows, .*bert_vocab.txt 30522"):
    conversion.write(source, tmp_path / "x", Options(), "")
  large = dataclasses.replace(source.config, vocab_size=30522)
  tokenizer = files.make_tokenizer(
    source._replace(config=large), pretrained.shipped_vocabulary()
  )
  assert tokenizer.vocab_size == 30522
  bare = dataclasses.replace(source.config, itm=False)
  with pytest.raises(ValueError, match="no place for itm=False"):
    target = tmp_path / "x.safetensors"
    conversion.write(source._replace(config=bare), target, Options(), "")

  def fail(*args):
    raise OSError("disk full")

  monkeypatch.setattr(pretrained, "save", fail)
  with pytest.raises(OSError, match="disk full"):
    conversion.write(
      source._replace(tokenizer=tokenizer), tmp_path / "x", Options(), ""
    )
  assert list(tmp_path.iterdir()) == []


def test_what_does_not_go_together_is_one_line(folder, vocab, monkeypatch):
  for fields in (
    {"num_heads": 4},
    {"allow_missing": "x"},
    {"allow_unknown": "x"},
    {"seed": 1},
  ):
    (name,) = fields
    said = f"--{name}: for published files alone"
    with pytest.raises(ValueError, match=said):
      conversion.read(folder, Options(**fields))
  options, new = Options(vocab=vocab), folder / "new.safetensors"
  with pytest.raises(ValueError, match="--vocab: new.safetensors is a file"):
    conversion.check_target(new, options)
  conversion.check_target(new.with_suffix(""), options)
  found = pretrained.read(folder)._replace(config=None)
  monkeypatch.setattr(pretrained, "read", lambda path: found)
  with pytest.raises(ValueError, match="sizes of its model are not on record"):
    conversion.read(folder, Options())


def test_a_feature_that_sees_order_is_told_of(folder):
  for order in (False, True):
    options = Options(temporal_feature=order)
    told = files.describe(conversion.read(folder, options))
    assert ("update_pooler_embed=True" in told) == order


@pytest.mark.parametrize(
  "arguments, message",
  [
    ([f"--from={TINY}"], "--to is missing"),
    (["--to={tmp}/x"], "pass either --from, or both --beit and --bert"),
    (["--to={tmp}/x", "--beit=b"], "pass either --from"),
    (["--to={tmp}", f"--from={TINY}"], "is there already"),
    (["--to={tmp}/x", "--from={vocab}"], "torch.save"),
    (["--to={tmp}/x", "--from=nowhere.pth"], "nowhere.pth"),
    (["--to={tmp}/x", "--from={tmp}"], "no trained run"),
    (["--to={tmp}/x", "--from={no_keys}"], "none.safetensors: not the weights"),
    (["--to={tmp}/x", f"--from={TINY}", "--vocab={gap}"], "gap.txt, line 102"),
  ],
)
def test_mistakes_are_one_line(launch, vocab, tmp_path, arguments, message):
  places = {
    "tmp": tmp_path,
    "vocab": vocab,
    "no_keys": tmp_path / "none.safetensors",
    "gap": tmp_path / "gap.txt",
  }
  safetensors.numpy.save_file({"a": np.zeros(1)}, places["no_keys"])
  places["gap"].write_text(vocab.read_text() + "\n")
  done = launch("convert", *(a.format(**places) for a in arguments))
  assert done.code == 2
  (line,) = done.err.strip().splitlines()
  assert message in line


def test_command_line(launch, vocab, tmp_path):
  target = tmp_path / "x"
  done = launch(
    "convert", f"--from={TINY}", f"--to={target}", f"--vocab={vocab}"
  )
  assert done.code == 0
  assert done.out.startswith(
    "210 keys, layout fine-tuned, 96,051 parameters\n4 frames of 32 x 32"
  )
  assert f"--config.model.init={target}" in done.out
  if not importlib.util.find_spec("torch"):
    done = launch("convert", f"--to={tmp_path}/x.pth", "--from=a")
    assert done.code == 2 and "needs PyTorch" in done.err

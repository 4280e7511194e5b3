"""Exported rewards: what is written, read back and refused."""

import json
import pathlib
import re
import shutil

import jax
import numpy as np
import pytest

from a2r.core import files, tensors, text
from a2r.models import adapt2reward as net
from a2r.models import saved
from tests import tiny

TEXTS = ["closing drawer", "opening box"]
SETTINGS = {
  "seed": 3,
  "data": {"robot": {"source": "folder"}, "human": {"source": "none"}},
  "model": {"init": "scratch"},
  "train": {"num_steps": 5},
  "eval": {"environments": []},
}


@pytest.fixture(scope="module")
def made(make_config):
  """A reward of random parameters, none of them on a grid of bfloat16."""
  tokenizer = text.Tokenizer.train(TEXTS, vocab_size=30)
  backbone = make_config(itm=False).__dict__
  one = saved.SavedReward(
    params=None,
    tokenizer=tokenizer,
    model={
      "backbone": json.loads(json.dumps(backbone)),
      "num_failure_prompts": 2,
      "failure_prompt_length": 1,
      "domain_prompt_length": 1,
    },
    instructions=TEXTS,
    num_trained=1,
    form="cosine",
    temperature=0.07,
    failure_prompts=True,
    record=saved.make_record(SETTINGS, None, step=4),
  )
  like = net.params_like(saved.make_model(one))
  return one._replace(params=tiny.draw_like(like))


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
  path = tmp_path_factory.mktemp("rewards") / "mine"
  saved.write(path, made)
  return path


@pytest.fixture
def copy(folder, tmp_path):
  return shutil.copytree(folder, tmp_path / "copy")


def test_what_is_read_is_what_was_written(made, folder):
  assert saved.is_exported(folder)
  found = saved.load(folder)
  jax.tree.map(np.testing.assert_array_equal, found.params, made.params)
  assert found[2:] == made[2:]
  np.testing.assert_array_equal(
    found.tokenizer(TEXTS, 8)[0], made.tokenizer(TEXTS, 8)[0]
  )
  names = {path.name for path in folder.iterdir()}
  assert names == {
    "README.md",
    "config.json",
    "digests.json",
    "model.safetensors",
    "tokenizer.json",
  }
  assert {p.name for p in folder.parent.iterdir()} == {"mine"}
  modes = {path.stat().st_mode for path in folder.iterdir()}
  assert len(modes) == 1


def test_bfloat16_halves_the_weights(made, folder, tmp_path):
  saved.write(tmp_path / "half", made, dtype="bfloat16")
  found = saved.load(tmp_path / "half")
  jax.tree.map(
    lambda x, y: np.testing.assert_array_equal(
      x, np.asarray(y).astype(jax.numpy.bfloat16).astype(np.float32)
    ),
    found.params,
    made.params,
  )
  sizes = [
    (path / "model.safetensors").stat().st_size
    for path in (folder, tmp_path / "half")
  ]
  assert 0.4 < sizes[1] / sizes[0] < 0.7
  with pytest.raises(ValueError, match="unknown dtype 'int8'; known: float32"):
    saved.write(tmp_path / "other", made, dtype="int8")
  assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("at", [1, 2])
def test_a_kill_while_it_is_replaced_loses_nothing(made, copy, monkeypatch, at):
  """At 1 the old folder is moved away; at 2 the new one is moved in too."""
  rename, calls = pathlib.Path.rename, []

  def kill(path, target):
    if len(calls) == at:
      raise KeyboardInterrupt
    calls.append(path)
    return rename(path, target)

  (copy / ".git").mkdir()
  (copy / ".git" / "HEAD").write_text("ref")
  changed = made._replace(instructions=["closing drawer", "running"])
  with monkeypatch.context() as patch:
    patch.setattr(pathlib.Path, "rename", kill)
    with pytest.raises(KeyboardInterrupt):
      saved.write(copy, changed)
  assert copy.exists() == (at == 2)
  assert saved.is_exported(copy)
  there = saved.load(copy).instructions
  assert there == (changed if at == 2 else made).instructions
  saved.write(copy, changed)
  assert saved.load(copy).instructions == changed.instructions
  assert (copy / ".git" / "HEAD").read_text() == "ref"
  assert {p.name for p in copy.parent.iterdir()} == {"copy"}


def test_a_cloned_repository_stays_one(made, copy, tmp_path):
  clone = tmp_path / "clone"
  changed = made._replace(instructions=["closing drawer", "running"])
  for folder in (copy, clone):
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    saved.write(folder, changed)
    assert (folder / ".git" / "HEAD").read_text() == "ref"
    assert "filter=lfs" in (folder / ".gitattributes").read_text()
    assert saved.load(folder).instructions == changed.instructions
  assert {p.name for p in tmp_path.iterdir()} == {"copy", "clone"}


def test_anything_else_is_not_replaced(made, copy, tmp_path):
  (tmp_path / "thesis").mkdir()
  (tmp_path / "thesis" / "thesis.tex").write_text("years")
  (tmp_path / "file").write_text("a file")
  (copy / "notes.txt").write_text("mine")
  for name, said in (
    ("thesis", r"something else than an exported reward \(thesis.tex\)"),
    ("file", "is a file"),
    ("copy", r"\(notes.txt\)"),
  ):
    with pytest.raises(FileExistsError, match=said):
      saved.write(tmp_path / name, made)
  assert (tmp_path / "thesis" / "thesis.tex").read_text() == "years"
  assert len(list(tmp_path.iterdir())) == 3


def test_a_failed_write_leaves_what_was_there(made, copy, monkeypatch):
  def fail(config):
    raise OSError("no space left")

  monkeypatch.setattr(saved.card, "render", fail)
  with pytest.raises(OSError, match="no space"):
    saved.write(copy, made)
  assert saved.load(copy).instructions == TEXTS
  with pytest.raises(OSError, match="no space"):
    saved.write(copy.parent / "new", made)
  assert {p.name for p in copy.parent.iterdir()} == {"copy"}


@pytest.mark.parametrize(
  "name", ["model.safetensors", "config.json", "tokenizer.json"]
)
def test_a_missing_file_is_named(copy, name):
  (copy / name).unlink()
  assert saved.is_exported(copy)
  with pytest.raises(FileNotFoundError, match=f"copy has no {name}; an exp"):
    saved.load(copy)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_cut_weights_are_told(copy, share):
  path = copy / "model.safetensors"
  data = path.read_bytes()
  path.write_bytes(data[: int(len(data) * share)])
  with pytest.raises(ValueError, match="not a whole safetensors file"):
    saved.load(copy)


@pytest.mark.parametrize(
  "change, said",
  [
    ({"format_version": 2}, "has format_version 2, this code reads 1"),
    ({"format": "bert"}, "its format is 'bert', not 'adapt2reward'"),
    ({"num_trained": 2}, "does not fit the model:\n.*failure"),
    ({"model": {}}, "backbone"),
    ({"model": {"backbone": {"depth": 3}}}, "argument 'depth'"),
    ({"form": None, "temperature": None}, r"lacks \['form', 'temperature'\]"),
    ("{", "config.json is not JSON"),
    ("[1]", "is not a JSON object, but .1."),
    ({"temperature": 0}, "temperature is 0, expected a number"),
    ({"temperature": 1e-300}, "temperature is 1e-300, expected a number"),
    ({"temperature": "hot"}, "temperature is 'hot', expected a number"),
    ({"temperature": float("nan")}, "temperature is nan, expected a number"),
    ({"instructions": 5}, "instructions are '5', expected a list of texts"),
    ({"instructions": []}, "instructions are '..', expected a list of texts"),
    ({"form": "best"}, "form in .*copy: 'best'; known: cosine, softmax"),
    ({"form": {}}, "form in .*copy: {}; known"),
    ({"failure_prompts": 1}, "copy: failure_prompts is 1, expected true"),
  ],
)
def test_a_config_of_another_kind_is_told(copy, change, said):
  path = copy / "config.json"
  text = change
  if isinstance(change, dict):
    config = json.loads(path.read_text()) | change
    text = json.dumps({k: v for k, v in config.items() if v is not None})
  path.write_text(text)
  (copy / "digests.json").unlink()
  with pytest.raises(ValueError, match=said):
    saved.load(copy)


@pytest.mark.parametrize(
  "name, size",
  [
    ("text_layers", 10**9),
    ("temporal_layers", 10**9),
    ("num_frames", 2**40),
    ("vocab_size", 2**62),
    ("embed_dim", 2.5),
    ("num_failure_prompts", 10**12),
    ("num_failure_prompts", "x"),
    ("stem_features", (4, "x")),
    ("stem_features", (4, -1)),
    ("stem_features", (4, 0)),
    ("itm", []),
    ("num_trained", 10**12),
    ("num_trained", -1),
  ],
)
def test_a_size_is_checked_before_memory_is_asked_for(copy, name, size):
  path = copy / "config.json"
  config = json.loads(path.read_text())
  for table in (config, config["model"], config["model"]["backbone"]):
    if name in table:
      table[name] = size
  files.write_json(path, config, recorded=True)
  said = re.escape(f"{name} is {size!r}")
  with pytest.raises(ValueError, match=f"copy.*{said}"):
    saved.load(copy)


@pytest.mark.parametrize("at", [0, 0.1, 0.5, 0.9, -3])
@pytest.mark.parametrize(
  "name", ["model.safetensors", "config.json", "tokenizer.json"]
)
def test_a_flipped_bit_is_named(copy, name, at):
  tiny.flip(copy / name, at)
  with pytest.raises(ValueError, match=name):
    saved.load(copy)


def test_names_of_arrays_that_make_no_tree_are_named(copy):
  path = copy / "model.safetensors"
  arrays = tensors.load(path)
  for name in ("/".join("a" * 5000), f"{next(iter(arrays))}/more"):
    tensors.save(path, arrays | {name: np.zeros(1, np.float32)})
    with pytest.raises(ValueError, match=r"model.safetensors: '"):
      saved.load(copy)


def test_clips_of_any_length_are_not_asked_for(copy):
  path = copy / "config.json"
  config = json.loads(path.read_text())
  config["model"]["backbone"]["num_frames"] = 1025
  files.write_json(path, config, recorded=True)
  with pytest.raises(ValueError, match="config.json: num_frames must be from"):
    saved.load(copy)


@pytest.mark.parametrize("model", [None, 3, "x", [], {}])
def test_sizes_of_another_kind_are_named(copy, model):
  path = copy / "config.json"
  files.write_json(
    path, json.loads(path.read_text()) | {"model": model}, recorded=True
  )
  with pytest.raises(ValueError, match="copy: the sizes of the model lack"):
    saved.load(copy)


def test_a_vocabulary_of_another_size_is_named(copy):
  path = copy / "tokenizer.json"
  vocab = dict.fromkeys([*text.SPECIAL, "a"], 10**6)
  files.write_json(path, {"model": {"vocab": vocab}}, recorded=True)
  with pytest.raises(ValueError, match="tokenizer.json has 1000001 places"):
    saved.load(copy)


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.float16])
def test_an_unknown_dtype_is_named(copy, dtype):
  path = copy / "model.safetensors"
  arrays = {k: x.astype(dtype) for k, x in tensors.load(path).items()}
  tensors.save(path, arrays)
  with pytest.raises(ValueError, match=f"is {np.dtype(dtype)}, expected float"):
    saved.load(copy)


def test_an_older_export_loads_with_a_note(made, copy, caplog):
  (copy / "digests.json").unlink()
  found = saved.load(copy)
  jax.tree.map(np.testing.assert_array_equal, found.params, made.params)
  assert f"{copy} has no digests.json" in caplog.text


def test_other_folders_are_not_exported_rewards(tmp_path):
  assert not saved.is_exported(tmp_path)
  assert not saved.is_exported(tmp_path / "none")
  (tmp_path / "config.json").write_text('{"model": {}}')
  assert not saved.is_exported(tmp_path)


@pytest.mark.parametrize("table", ["config", "reward"])
def test_a_run_without_a_value_is_named(tmp_path, table):
  tiny.make_run(tmp_path / "run")
  path = tmp_path / "run" / f"{table}.json"
  value = json.loads(path.read_text())
  gone = {"config": "loss", "reward": "instructions"}[table]
  del value[gone]
  path.write_text(json.dumps(value))
  with pytest.raises(ValueError, match=f"run: .*{table}.json .*{gone}"):
    saved.load(tmp_path / "run")


@pytest.mark.parametrize(
  "table, place, value, said",
  [
    ("reward", ("form",), None, "form"),
    ("config", ("data",), [], "is no table"),
    ("config", ("loss", "weights", "fvlc"), float("nan"), "fvlc is nan"),
    ("config", ("loss", "weights", "fvlc"), "x", "fvlc is 'x'"),
  ],
)
def test_an_odd_value_of_a_run_is_named(tmp_path, table, place, value, said):
  tiny.make_run(tmp_path / "run")
  path = tmp_path / "run" / f"{table}.json"
  whole = json.loads(path.read_text())
  inner = whole
  for key in place[:-1]:
    inner = inner[key]
  inner[place[-1]] = value
  path.write_text(json.dumps(whole))
  with pytest.raises(ValueError, match=f"run.*{said}|{said}.*run"):
    saved.load(tmp_path / "run")

"""Checkpoints: bit-equal, all or nothing, the newest and the best kept."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import textwrap

import chex
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from a2r.core import checkpoint, files
from tests import tiny

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def _parts(seed=0):
  rng = np.random.default_rng(seed)
  params = {
    "dense": {
      "kernel": rng.normal(size=(3, 2)).astype(np.float32),
      "bias": jnp.asarray(rng.normal(size=2), jnp.bfloat16),
    },
    "scale": np.float32(0.1 + seed),
  }
  optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))
  return {
    "params": params,
    "opt_state": optimizer.init(params),
    "extra": {"labels": np.arange(4, dtype=np.int32), "none": {}},
  }


def _assert_equal(tree, other):
  chex.assert_trees_all_equal(tree, other, strict=True)


def test_restores_bit_equal_arrays_and_items(tmp_path):
  parts = _parts()
  items = {"config": {"a": [1, 2.5, None]}, "vocabulary": ["[PAD]", "é"]}
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(3, parts, items)
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    assert checkpoints.newest_step() == 3
    back = checkpoints.restore(3, _parts(seed=1), items=tuple(items))
  assert (back.step, back.items) == (3, items)
  _assert_equal(back.parts, parts)
  back = checkpoint.load(tmp_path, items=("config",))
  _assert_equal(back.parts, {"params": parts["params"]})
  assert back.items == {"config": items["config"]}
  with pytest.raises(ValueError, match="no 'text'; it has: config, extra"):
    checkpoint.load(tmp_path, items=("text",))


def test_what_was_saved_may_change_at_once(tmp_path):
  array, window = np.zeros(1000, np.float32), {"loss": [1.0]}
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {"params": {"a": array}}, {"window": window})
    array += 1
    window["loss"].append(2.0)
  back = checkpoint.load(tmp_path, items=("window",))
  np.testing.assert_array_equal(back.parts["params"]["a"], 0)
  assert back.items["window"] == {"loss": [1.0]}


def test_reads_what_older_versions_wrote(tmp_path):
  # By orbax-checkpoint 0.12.8's CheckpointManager: StandardSave, JsonSave.
  shutil.unpack_archive(GOLDEN / "checkpoint_orbax_v0.zip", tmp_path)
  parts = ("params", "opt_state")
  back = checkpoint.load(tmp_path, parts=parts, items=("config",))
  assert back.step == 3 and back.items == {"config": {"x": [1, None, "é"]}}
  a = {"b": np.arange(5.0), "c": np.ones(3, jnp.bfloat16)}
  params, opt_state = {"a": a}, {"m": np.float32(2)}
  _assert_equal(back.parts, {"params": params, "opt_state": opt_state})
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(4, {"params": params}, score=0.4)
    checkpoints.save(5, {"params": params}, score=0.3)
  assert checkpoints.steps() == [3, 5] and checkpoints.best_step() == 3


@pytest.mark.parametrize(
  "scores, kept, best",
  [
    ([None, None, None], [3], 3),
    ([0.1, 0.9, 0.2], [2, 3], 2),
    ([0.5, 0.5, None], [2, 3], 2),
    ([0.5, np.nan, np.nan], [1, 3], 1),
    ([0.1, 0.2, 0.3], [3], 3),
  ],
)
def test_keeps_the_newest_and_the_best(tmp_path, scores, kept, best):
  for step, score in enumerate(scores, start=1):
    with checkpoint.Checkpoints(tmp_path) as checkpoints:
      checkpoints.save(step, {"params": {"a": np.ones(2) * step}}, score=score)
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    assert checkpoints.steps() == kept
    assert checkpoints.best_step() == best
  assert checkpoint.load(tmp_path).parts["params"]["a"][0] == best
  newest = checkpoint.load(tmp_path, which="newest")
  assert newest.parts["params"]["a"][0] == 3
  assert sorted(os.listdir(tmp_path / "checkpoints")) == [str(k) for k in kept]


def test_a_copy_that_was_cut_short_is_no_checkpoint(tmp_path):
  folder = tmp_path / "checkpoints"
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(3, {"params": {"a": np.ones(2)}}, {"config": 1}, score=0.1)
  (folder / "999").mkdir()
  for step, lost in ((4, "_CHECKPOINT_METADATA"), (5, "params"), (6, "score")):
    shutil.copytree(folder / "3", folder / str(step))
    path = folder / str(step) / lost
    path.unlink() if path.is_file() else shutil.rmtree(path)
  for which in ("best", "newest"):
    assert checkpoint.load(tmp_path, which=which).step == 3
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    assert checkpoints.steps() == [3]
    checkpoints.save(5, {"params": {"a": np.zeros(2)}}, score=0.2)
  assert os.listdir(folder) == ["5"]


def test_what_is_no_checkpoint_is_not_removed(tmp_path):
  elsewhere = tmp_path / "elsewhere"
  for name in ("backup", "photos"):
    (elsewhere / name).mkdir(parents=True)
    (elsewhere / name / "1.txt").write_text("mine")
  run = tmp_path / "run"
  run.mkdir()
  (run / "checkpoints").symlink_to(elsewhere)
  with checkpoint.Checkpoints(run) as checkpoints:
    for step in (1, 2):
      checkpoints.save(step, {"params": {"a": np.ones(2)}}, score=step)
      checkpoints.wait()
  assert sorted(os.listdir(elsewhere)) == ["2", "backup", "photos"]
  assert (elsewhere / "photos" / "1.txt").read_text() == "mine"


def test_missing_runs_are_named(tmp_path):
  with pytest.raises(FileNotFoundError, match="no run in .*nowhere"):
    checkpoint.load(tmp_path / "nowhere")
  checkpoint.Checkpoints(tmp_path).wait()
  assert not checkpoint.exists(tmp_path)
  with pytest.raises(FileNotFoundError, match="no whole checkpoint"):
    checkpoint.load(tmp_path)
  with pytest.raises(ValueError, match="known"):
    checkpoint.load(tmp_path, which="last")


_KILLED = """
  import os, signal, sys
  import numpy as np
  from a2r.core import checkpoint, progress, writer
  assert "tensorflow" not in sys.modules
  checkpoints = checkpoint.Checkpoints(sys.argv[1])
  checkpoints.save(1, {'params': {'a': np.ones(1000)}})
  checkpoints.wait()
  # All files of the second are written; the rename is yet to come.
  from orbax.checkpoint._src.path import atomicity
  def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
  atomicity.AtomicRenameTemporaryPath.finalize = kill
  checkpoints.save(2, {'params': {'a': np.zeros(1000)}})
  checkpoints.wait()
"""


def test_a_kill_while_writing_leaves_the_last_whole_one(tmp_path):
  script = textwrap.dedent(_KILLED)
  done = subprocess.run(
    [sys.executable, "-c", script, str(tmp_path)], check=False
  )
  assert done.returncode == -signal.SIGKILL
  left = os.listdir(tmp_path / "checkpoints")
  assert any("tmp" in name for name in left), left
  assert checkpoint.exists(tmp_path)
  assert checkpoint.load(tmp_path).step == 1
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    assert checkpoints.steps() == [1]
    checkpoints.save(2, {"params": {"a": np.full(1000, 2.0)}})
  assert os.listdir(tmp_path / "checkpoints") == ["2"]
  np.testing.assert_array_equal(
    checkpoint.load(tmp_path).parts["params"]["a"], 2.0
  )


@pytest.mark.parametrize("name", ["params", "opt_state", "extra", "config"])
def test_a_flipped_bit_is_named(tmp_path, name):
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, _parts(), {"config": {"a": 1}}, score=0.5)
  folder = tmp_path / "checkpoints" / "1" / name
  paths = [p for p in folder.rglob("*") if p.is_file()]
  for path in paths:
    content = path.read_bytes()
    tiny.flip(path, 0.5)
    # A name on record that is flipped is that of a missing file.
    said = f"{path} is damaged"
    if path.name == "digests.json":
      said = f"/1/{name}/.* is (damaged|missing)"
    with (
      checkpoint.Checkpoints(tmp_path, read_only=True) as checkpoints,
      pytest.raises(ValueError, match=said),
    ):
      checkpoints.restore(1, _parts(), items=("config",))
    path.write_bytes(content)
  others = {"params", "opt_state", "extra"} - {name}
  tiny.flip(paths[0], 0.5)
  assert checkpoint.load(tmp_path, parts=tuple(others)).step == 1


def test_a_flipped_score_does_not_choose_the_best(tmp_path):
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {"params": {"a": np.ones(2)}}, score=0.5)
  tiny.flip(tmp_path / "checkpoints" / "1" / "score" / "data.json", -2)
  with pytest.raises(ValueError, match=r"score/data\.json is damaged"):
    checkpoint.load(tmp_path)


def test_parameters_that_are_not_finite_do_not_load(tmp_path):
  params = {
    "a": np.ones(3, np.float32),
    "b": jnp.array([1, jnp.nan], jnp.bfloat16),
  }
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {"params": params})
  with pytest.raises(ValueError, match="1: params: 1 of 2 values of b are not"):
    checkpoint.load(tmp_path)


def test_a_checkpoint_without_digests_loads_with_a_note(tmp_path, caplog):
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {"params": {"a": np.ones(2)}})
  folder = tmp_path / "checkpoints" / "1"
  (folder / "params" / "digests.json").unlink()
  assert checkpoint.load(tmp_path).step == 1
  assert f"{folder} has no digests.json" in caplog.text


@pytest.mark.parametrize("part", ["params", "opt_state", "extra"])
def test_training_goes_on_from_finite_values_alone(tmp_path, part):
  parts = {
    name: {"a": np.float32([0, np.inf if name == part else 1])}
    for name in ("params", "opt_state", "extra")
  }
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(7, parts)
    with pytest.raises(ValueError, match=f"7: {part}: 1 of 2 values of a are"):
      checkpoints.restore(7, parts)
  if part != "params":
    assert checkpoint.load(tmp_path).step == 7


@pytest.mark.parametrize(
  "old, new",
  [
    (rb"^{", b"z"),
    (b"params", b"qarams"),
    (rb"}$", b"|"),
    (rb"}$", b"]"),
  ],
)
def test_a_damaged_list_of_contents_deletes_nothing(tmp_path, old, new):
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {"params": {"a": np.ones(2)}})
  path = tmp_path / "checkpoints" / "1" / "_CHECKPOINT_METADATA"
  path.write_bytes(re.sub(old, new, path.read_bytes(), count=1))
  with pytest.raises(ValueError, match=f"{path} is damaged"):
    checkpoint.Checkpoints(tmp_path)
  assert path.is_file()


def test_a_full_disk_keeps_the_last_checkpoint_alone(
  tmp_path, no_room, caplog, monkeypatch
):
  rng, unraisable = np.random.default_rng(0), []
  large = {f"a{number}": rng.random(20_000) for number in range(40)}
  checkpoint._quieten.cache_clear()
  monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    checkpoints.save(1, {"params": {"a": np.ones(2)}})
    checkpoints.wait()
    with no_room(50_000):
      checkpoints.save(2, {"params": large}, {"config": 1})
      with pytest.raises(files.DiskFullError, match="checkpoints/2 cannot be"):
        checkpoints.wait()
    assert not caplog.records and not unraisable
    assert os.listdir(tmp_path / "checkpoints") == ["1"]
    checkpoints.save(2, {"params": large})
  _assert_equal(
    checkpoint.load(tmp_path, which="newest").parts["params"], large
  )

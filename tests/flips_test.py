"""One flipped bit in anything that is loaded is told, or changes nothing."""

import jax
import numpy as np
import pytest

from a2r import reward
from a2r.core import checkpoint, files
from a2r.models import pretrained
from tests import tiny

NUM_FLIPS = 60
PARTS = ("params", "opt_state", "extra")
CLIPS = np.random.default_rng(0).integers(0, 256, (2, 2, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs") / "run"
  _, params, _ = tiny.make_run(folder)
  parts = {
    "params": params,
    "opt_state": {"mean": params, "count": np.int32(7)},
  }
  parts["extra"] = {
    "centers": np.float32(np.random.default_rng(1).normal(size=(2, 3, 8)))
  }
  for name in ("config.json", "reward.json"):
    files.write_json(
      folder / name, files.read_json(folder / name), recorded=True
    )
  with checkpoint.Checkpoints(folder) as checkpoints:
    checkpoints.save(7, parts, {"window": {}}, score=0.95)
  return folder, parts


def _flip_all(folder, load, seed):
  """Flips bits of random files at random places; returns how often it is told.

  Half of the files are drawn by their sizes, so that most bits are of arrays.
  """
  draw = np.random.default_rng(seed)
  paths = sorted(path for path in folder.rglob("*") if path.is_file())
  sizes = np.array([path.stat().st_size for path in paths], float)
  shares = 0.5 * sizes / sizes.sum() + 0.5 * (sizes > 0) / (sizes > 0).sum()
  whole, told = load(), 0
  for path in draw.choice(paths, NUM_FLIPS, p=shares):
    content = path.read_bytes()
    tiny.flip(path, int(draw.integers(len(content))), int(draw.integers(8)))
    try:
      found = load()
    except (ValueError, FileNotFoundError):
      told += 1
    else:
      jax.tree.map(np.testing.assert_array_equal, found, whole)
    path.write_bytes(content)
  return told


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_of_a_checkpoint(run, part):
  folder, parts = run

  def load():
    with checkpoint.Checkpoints(folder, read_only=True) as checkpoints:
      return checkpoints.restore(7, {part: parts[part]}).parts

  assert _flip_all(folder / "checkpoints" / "7" / part, load, seed=2) > 50


@pytest.mark.slow
def test_of_a_run(run):
  folder, _ = run

  def load():
    return reward.load(folder).score(CLIPS, tiny.KNOWN[0])

  _flip_all(folder, load, seed=3)


@pytest.mark.slow
def test_of_an_export(run, tmp_path):
  folder = tmp_path / "export"
  reward.load(run[0]).save(folder)

  def load():
    return reward.load(folder).score(CLIPS, tiny.KNOWN[0])

  assert _flip_all(folder, load, seed=4) > 40


@pytest.mark.slow
def test_of_the_shipped_backbone(tmp_path, monkeypatch):
  for name in ("digests.json", "small_backbone.safetensors"):
    (tmp_path / name).write_bytes(
      pretrained.shipped().with_name(name).read_bytes()
    )
  monkeypatch.setattr(pretrained, "_ASSETS", tmp_path)

  def load():
    source = pretrained.read(pretrained.shipped())
    return source.params, source.card

  assert _flip_all(tmp_path, load, seed=5) > 50

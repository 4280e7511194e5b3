"""RLDS data sets, made by tensorflow-datasets: labels, fields, and faults."""

import numpy as np
import pytest

from data.readers import rlds


@pytest.fixture(name="sets", scope="module")
def _sets(load_module):
  return load_module("data/readers/rlds_sets.py")


@pytest.fixture(name="toy", scope="module")
def _toy(sets, tmp_path_factory):
  return sets.make(tmp_path_factory.mktemp("toy"))


def test_episodes_become_clips(sets, read, toy, tmp_path):
  stored, notes = read(rlds, toy, tmp_path)
  assert sorted(stored.name) == [f"train episode {n}" for n in range(3)]
  assert set(stored.instruction) == {"close the drawer"}
  assert stored.success.sum() == 2
  seen = set()
  for row in range(3):
    levels = stored.read(row).frames.mean(axis=(1, 2, 3))
    episode = int(levels[0] - 10) // 60
    seen.add(episode)
    assert stored.success[row] == (episode != 1)
    last = sets.LENGTHS[episode] - 1
    wanted = [sets.level(episode, step) for step in (0, last / 2, last)]
    np.testing.assert_allclose(levels, wanted, atol=5)
  assert seen == {0, 1, 2}
  assert "'steps/observation/image'" in notes[0]
  assert "'steps/reward' reaches 1" in notes[1]


def test_fields_may_be_named(read, toy, tmp_path):
  stored, _ = read(rlds, toy, tmp_path, success_key="steps/is_terminal")
  assert stored.success.all()
  for setting, wrong in (
    ("camera", "steps/image"),
    ("instruction_key", "text"),
    ("success_key", "won"),
  ):
    with pytest.raises(ValueError, match=f"no.*'{wrong}'") as caught:
      read(rlds, toy, tmp_path, **{setting: wrong})
    assert setting in str(caught.value) and "steps/" in str(caught.value)


def test_splits_that_are_left_out_are_told(sets, read, tmp_path):
  path = sets.make(tmp_path / "set", splits=("test", "train", "val"))
  stored, notes = read(rlds, path, tmp_path)
  assert len(stored) == len(sets.LENGTHS)
  assert "split 'train' is read; left out: 'test', 'val'" in notes


def test_several_pictures_are_listed(sets, read, tmp_path):
  import tensorflow_datasets as tfds

  feature = tfds.features.Image(shape=(4, 4, 3))
  white = np.full((4, 4, 3), 255, np.uint8)
  path = sets.make(tmp_path / "a", front=(feature, white))
  stored, notes = read(rlds, path, tmp_path)
  assert "'steps/observation/image'" in notes[0]
  stored, _ = read(rlds, path, tmp_path, camera="steps/front")
  assert stored.read(0).frames.min() > 250
  path = sets.make(tmp_path / "b", image=(feature, white))
  with pytest.raises(ValueError, match="2 fields may be meant.*'steps/im"):
    read(rlds, path, tmp_path)


def test_faults_are_named(sets, read, toy, tmp_path):
  with pytest.raises(ValueError, match="it has no features.json"):
    read(rlds, tmp_path, tmp_path)
  path = sets.make(tmp_path / "silent", text=" ")
  with pytest.raises(ValueError, match="episode 0: the instruction is emp"):
    read(rlds, path, tmp_path / "sets")
  (path / "toy" / "2.0.0").mkdir()
  (path / "toy" / "2.0.0" / "features.json").write_text("{}")
  with pytest.raises(ValueError, match="several data sets; name one of"):
    read(rlds, path, tmp_path)
  with pytest.raises(ValueError, match="2.0.0: not a data set"):
    read(rlds, path / "toy" / "2.0.0", tmp_path)

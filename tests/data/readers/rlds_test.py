"""RLDS data sets, made by tensorflow-datasets: labels, fields, and faults."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data.readers import rlds

LENGTHS = (4, 6, 5)


def level(episode, step):
  """Gray of a picture: no two are alike."""
  return 20 + 60 * episode + 8 * step


def make(root, *, text="close the drawer", splits=("train",), **extra):
  """A data set of three episodes; the middle one has no reward.

  All splits hold the same; `extra` are further features of a step, and their
  value at every step.
  """
  image = tfds.features.Image(shape=(16, 32, 3), encoding_format="png")
  steps = {
    "observation": tfds.features.FeaturesDict({"image": image}),
    "reward": tfds.features.Scalar(dtype=np.float32),
    "is_terminal": tfds.features.Scalar(dtype=np.bool_),
    "state": tfds.features.Tensor(shape=(7,), dtype=np.float32),
    "language_instruction": tfds.features.Text(),
  } | {name: feature for name, (feature, _) in extra.items()}
  metadata = {"file_path": tfds.features.Text()}
  features = {
    "steps": tfds.features.Dataset(steps),
    "episode_metadata": tfds.features.FeaturesDict(metadata),
  }

  def make_step(episode, step):
    is_last = step + 1 == LENGTHS[episode]
    picture = np.full((16, 32, 3), level(episode, step), np.uint8)
    return {
      "observation": {"image": picture},
      "reward": float(is_last and episode != 1),
      "is_terminal": is_last,
      "state": np.zeros(7, np.float32),
      "language_instruction": text,
    } | {name: value for name, (_, value) in extra.items()}

  class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    name = "toy"
    VERSION = tfds.core.Version("1.0.0")
    code_path = pkg_dir_path = None  # Its class is in no package.

    def _info(self):
      return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(features)
      )

    def _split_generators(self, dl_manager):
      return {split: self._generate_examples() for split in splits}

    def _generate_examples(self):
      for episode, length in enumerate(LENGTHS):
        yield (
          episode,
          {
            "steps": [make_step(episode, step) for step in range(length)],
            "episode_metadata": {"file_path": f"{episode}.h5"},
          },
        )

  Toy(data_dir=str(root)).download_and_prepare()
  return root


@pytest.fixture(name="toy", scope="module")
def _toy(tmp_path_factory):
  return make(tmp_path_factory.mktemp("toy"))


def test_episodes_become_clips(read, toy, tmp_path):
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
    last = LENGTHS[episode] - 1
    wanted = [level(episode, step) for step in (0, last / 2, last)]
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


def test_splits_that_are_left_out_are_told(read, tmp_path):
  path = make(tmp_path / "set", splits=("test", "train", "val"))
  stored, notes = read(rlds, path, tmp_path)
  assert len(stored) == len(LENGTHS)
  assert "split 'train' is read; left out: 'test', 'val'" in notes


def test_several_pictures_are_listed(read, tmp_path):
  feature = tfds.features.Image(shape=(4, 4, 3))
  white = np.full((4, 4, 3), 255, np.uint8)
  path = make(tmp_path / "a", front=(feature, white))
  stored, notes = read(rlds, path, tmp_path)
  assert "'steps/observation/image'" in notes[0]
  stored, _ = read(rlds, path, tmp_path, camera="steps/front")
  assert stored.read(0).frames.min() > 250
  path = make(tmp_path / "b", image=(feature, white))
  with pytest.raises(ValueError, match="2 fields may be meant.*'steps/im"):
    read(rlds, path, tmp_path)


def test_faults_are_named(read, toy, tmp_path):
  with pytest.raises(ValueError, match="it has no features.json"):
    read(rlds, tmp_path, tmp_path)
  path = make(tmp_path / "silent", text=" ")
  with pytest.raises(ValueError, match="episode 0: the instruction is emp"):
    read(rlds, path, tmp_path / "sets")
  (path / "toy" / "2.0.0").mkdir()
  (path / "toy" / "2.0.0" / "features.json").write_text("{}")
  with pytest.raises(ValueError, match="several data sets; name one of"):
    read(rlds, path, tmp_path)
  with pytest.raises(ValueError, match="2.0.0: not a data set"):
    read(rlds, path / "toy" / "2.0.0", tmp_path)

"""RLDS data sets, made by tensorflow-datasets: labels, fields, and faults."""

import importlib

import numpy as np
import pytest

LENGTHS = (4, 6, 5)


@pytest.fixture(name="rlds", scope="module")
def _rlds():
  return importlib.import_module("data.rlds")


def _level(episode, step):
  return 20 + 60 * episode + 8 * step


def make(root, *, text="close the drawer", **extra):
  """A data set of three episodes; the middle one has no reward.

  Args:
    root: its folder is made in there.
    text: the instruction.
    **extra: further features of a step, and their value at every step.
  """
  import tensorflow_datasets as tfds

  observation = {
    "image": tfds.features.Image(shape=(16, 32, 3), encoding_format="png"),
    "state": tfds.features.Tensor(shape=(7,), dtype=np.float32),
  }
  step_features = {
    "observation": tfds.features.FeaturesDict(observation),
    "reward": tfds.features.Scalar(dtype=np.float32),
    "is_terminal": tfds.features.Scalar(dtype=np.bool_),
    "language_instruction": tfds.features.Text(),
  } | {name: feature for name, (feature, _) in extra.items()}

  class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    name = "toy"
    VERSION = tfds.core.Version("1.0.0")
    code_path = pkg_dir_path = None  # Its class is in no package.

    def _info(self):
      features = {
        "steps": tfds.features.Dataset(step_features),
        "episode_metadata": tfds.features.FeaturesDict(
          {"file_path": tfds.features.Text()}
        ),
      }
      return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(features)
      )

    def _split_generators(self, dl_manager):
      return {"train": self._generate_examples()}

    def _generate_examples(self):
      for episode, length in enumerate(LENGTHS):
        steps = [
          {
            "observation": {
              "image": np.full((16, 32, 3), _level(episode, step), np.uint8),
              "state": np.zeros(7, np.float32),
            },
            "reward": float(step + 1 == length and episode != 1),
            "is_terminal": step + 1 == length,
            "language_instruction": text,
          }
          | {name: value for name, (_, value) in extra.items()}
          for step in range(length)
        ]
        yield (
          episode,
          {
            "steps": steps,
            "episode_metadata": {"file_path": f"{episode}.h5"},
          },
        )

  Toy(data_dir=str(root)).download_and_prepare()
  return root


@pytest.fixture(name="toy", scope="module")
def _toy(tmp_path_factory):
  return make(tmp_path_factory.mktemp("toy"))


def _store(rlds, dataset, path, root, **options):
  folder, notes = rlds.store(path, root, num_frames=3, image_size=16, **options)
  return dataset.open_dataset(folder, "robot"), notes


def test_episodes_become_clips(rlds, dataset, toy, tmp_path):
  stored, notes = _store(rlds, dataset, toy, tmp_path)
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
    wanted = [_level(episode, step) for step in (0, last / 2, last)]
    np.testing.assert_allclose(levels, wanted, atol=5)
  assert seen == {0, 1, 2}
  assert "'steps/observation/image'" in notes[0]
  assert "'steps/reward' reaches 1" in notes[1]


def test_fields_may_be_named(rlds, dataset, toy, tmp_path):
  stored, _ = _store(
    rlds, dataset, toy, tmp_path, success_key="steps/is_terminal"
  )
  assert stored.success.all()
  for setting, wrong in (
    ("camera", "steps/image"),
    ("instruction_key", "text"),
    ("success_key", "won"),
  ):
    with pytest.raises(ValueError, match=f"no.*'{wrong}'") as caught:
      _store(rlds, dataset, toy, tmp_path, **{setting: wrong})
    assert setting in str(caught.value) and "steps/" in str(caught.value)


def test_several_pictures_are_listed(rlds, dataset, tmp_path):
  import tensorflow_datasets as tfds

  feature = tfds.features.Image(shape=(4, 4, 3))
  white = np.full((4, 4, 3), 255, np.uint8)
  path = make(tmp_path / "a", front=(feature, white))
  stored, notes = _store(rlds, dataset, path, tmp_path)
  assert "'steps/observation/image'" in notes[0]
  stored, _ = _store(rlds, dataset, path, tmp_path, camera="steps/front")
  assert stored.read(0).frames.min() > 250
  path = make(tmp_path / "b", image=(feature, white))
  with pytest.raises(rlds.RldsError, match="2 fields may be meant.*'steps/im"):
    _store(rlds, dataset, path, tmp_path)


def test_faults_are_named(rlds, dataset, toy, tmp_path):
  with pytest.raises(rlds.RldsError, match="it has no features.json"):
    _store(rlds, dataset, tmp_path, tmp_path)
  path = make(tmp_path / "silent", text=" ")
  with pytest.raises(rlds.RldsError, match="episode 0: the instruction is emp"):
    _store(rlds, dataset, path, tmp_path / "sets")
  (path / "toy" / "2.0.0").mkdir()
  (path / "toy" / "2.0.0" / "features.json").write_text("{}")
  with pytest.raises(rlds.RldsError, match="several data sets; name one of"):
    _store(rlds, dataset, path, tmp_path)
  with pytest.raises(rlds.RldsError, match="2.0.0: not a data set"):
    _store(rlds, dataset, path / "toy" / "2.0.0", tmp_path)

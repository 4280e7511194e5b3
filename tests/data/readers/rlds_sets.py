"""Small RLDS data sets, made by tensorflow-datasets."""

import numpy as np
import tensorflow_datasets as tfds

LENGTHS = (4, 6, 5)


def level(episode, step):
  """Gray of a picture: no two are alike."""
  return 20 + 60 * episode + 8 * step


def make(root, *, text="close the drawer", splits=("train",), **extra):
  """A data set of three episodes; the middle one has no reward.

  Args:
    root: its folder is made in there.
    text: the instruction.
    splits: names of its splits; all hold the same.
    **extra: further features of a step, and their value at every step.
  """
  values = {name: value for name, (_, value) in extra.items()}
  features = _features({name: feature for name, (feature, _) in extra.items()})

  class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    name = "toy"
    VERSION = tfds.core.Version("1.0.0")
    code_path = pkg_dir_path = None  # Its class is in no package.

    def _info(self):
      return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
      return {split: self._generate_examples() for split in splits}

    def _generate_examples(self):
      for episode, length in enumerate(LENGTHS):
        yield (
          episode,
          {
            "steps": [
              _step(episode, step, text) | values for step in range(length)
            ],
            "episode_metadata": {"file_path": f"{episode}.h5"},
          },
        )

  Toy(data_dir=str(root)).download_and_prepare()
  return root


def _features(extra):
  observation = {
    "image": tfds.features.Image(shape=(16, 32, 3), encoding_format="png"),
    "state": tfds.features.Tensor(shape=(7,), dtype=np.float32),
  }
  steps = {
    "observation": tfds.features.FeaturesDict(observation),
    "reward": tfds.features.Scalar(dtype=np.float32),
    "is_terminal": tfds.features.Scalar(dtype=np.bool_),
    "language_instruction": tfds.features.Text(),
  }
  metadata = {"file_path": tfds.features.Text()}
  return tfds.features.FeaturesDict(
    {
      "steps": tfds.features.Dataset(steps | extra),
      "episode_metadata": tfds.features.FeaturesDict(metadata),
    }
  )


def _step(episode, step, text):
  is_last = step + 1 == LENGTHS[episode]
  return {
    "observation": {
      "image": np.full((16, 32, 3), level(episode, step), np.uint8),
      "state": np.zeros(7, np.float32),
    },
    "reward": float(is_last and episode != 1),
    "is_terminal": is_last,
    "language_instruction": text,
  }

"""Small RLDS data sets, made by tensorflow-datasets."""

import numpy as np
import tensorflow_datasets as tfds

LENGTHS = (4, 6, 5)
TEXT, NUMBER = tfds.features.Text(), tfds.features.Scalar(np.float32)


def level(episode, step):
  """Gray of a picture: no two are alike."""
  return 20 + 60 * episode + 8 * step


def make(
  root, *, splits=("train",), kind=tfds.features.Dataset, config=None,
  file_format=None, films=None, file_fn="{}.h5".format, **changes,
):  # fmt: skip
  """A data set of three episodes; the middle one has no reward.

  All splits hold the same; `changes` are further features of a step, and their
  value at every step, or a function of episode and step; `films` are such of
  the episode, and a function of it.
  """
  image = tfds.features.Image(shape=(16, 32, 3), encoding_format="png")
  steps = {
    "observation": tfds.features.FeaturesDict({"image": image}),
    "reward": tfds.features.Scalar(dtype=np.float32),
    "is_terminal": tfds.features.Scalar(dtype=np.bool_),
    "state": tfds.features.Tensor(shape=(7,), dtype=np.float32),
    "language_instruction": tfds.features.Text(),
  } | {name: feature for name, (feature, _) in changes.items()}
  metadata = {"file_path": tfds.features.Text()}
  features = {
    "steps": kind(steps),
    "episode_metadata": tfds.features.FeaturesDict(metadata),
  }

  films = films or {}
  features |= {name: feature for name, (feature, _) in films.items()}

  def make_step(episode, step):
    is_last = step + 1 == LENGTHS[episode]
    picture = np.full((16, 32, 3), level(episode, step), np.uint8)
    return {
      "observation": {"image": picture},
      "reward": float(is_last and episode != 1),
      "is_terminal": is_last,
      "state": np.zeros(7, np.float32),
      "language_instruction": "close the drawer",
    } | {
      name: value(episode, step) if callable(value) else value
      for name, (_, value) in changes.items()
    }

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
            "episode_metadata": {"file_path": file_fn(episode)},
          }
          | {name: value(episode) for name, (_, value) in films.items()},
        )

  Toy(data_dir=str(root), file_format=file_format).download_and_prepare(
    download_config=config
  )
  return root

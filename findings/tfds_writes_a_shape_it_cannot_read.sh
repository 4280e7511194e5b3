#!/usr/bin/env bash
# One would guess: a data set that tensorflow-datasets has prepared without a complaint can be read by it.
# What happens: a Tensor of shape (None, 8, 3) among the steps of an RLDS episode is encoded, written and counted; as_dataset then raises NotImplementedError, for the steps add a second unknown dimension.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tensorflow-datasets==4.9.10 tensorflow-cpu==2.21.0 importlib_resources==6.5.2 2>/dev/null
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - 2>/dev/null <<'PY'
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

print("tensorflow-datasets", tfds.__version__, "tensorflow", tf.__version__)
kinds = tfds.features


class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  VERSION = tfds.core.Version("1.0.0")
  name = "toy"
  code_path = pkg_dir_path = None  # The class is in no package.

  def _info(self):
    picture = kinds.Tensor(shape=(None, 8, 3), dtype=np.uint8)
    steps = kinds.Dataset({"picture": picture})
    features = kinds.FeaturesDict({"steps": steps})
    return tfds.core.DatasetInfo(builder=self, features=features)

  def _split_generators(self, dl_manager):
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    step = {"picture": np.zeros((6, 8, 3), np.uint8)}
    yield 0, {"steps": [step, step]}


builder = Toy(data_dir="sets")
builder.download_and_prepare()
print("prepared:", builder.info.splits["train"].num_examples, "example")
try:
  builder.as_dataset(split="train")
except NotImplementedError as error:
  print("as_dataset: NotImplementedError:", str(error).splitlines()[0])
else:
  raise SystemExit("it can be read now")
PY

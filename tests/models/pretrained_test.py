"""A backbone alone as a reward, zero-shot."""

import pickle

import numpy as np
import pytest

from a2r import reward
from a2r.models import pretrained
from configs import envgen

TEXTS = ["close the drawer", "juggling three balls"]


@pytest.fixture(scope="module")
def clips():
  shape = (3, 5, 20, 24, 3)
  return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
  return reward.load("small_backbone")


def test_the_shipped_backbone_scores_any_text(model, clips):
  assert model.form == "cosine" and model.instructions == []
  scores = model.scores(clips, TEXTS)
  assert scores.shape == (3, 2) and (np.abs(scores) <= 1).all()
  same = pickle.loads(pickle.dumps(model)).scores(clips, TEXTS)
  np.testing.assert_array_equal(same, scores)
  file = reward.load(pretrained.shipped())
  np.testing.assert_array_equal(file.scores(clips, TEXTS), scores)
  forms = model.form_scores(clips, TEXTS)
  np.testing.assert_array_equal(forms["cosine"], scores)
  # Nearer to the words than to failing at them.
  assert (np.abs(forms["own_failures"] - 0.5) < 0.5).all()


def test_its_softmaxes_have_the_temperature_of_training(model):
  temperature = envgen.get_config().loss.temperature
  assert model.saved.temperature == temperature


def test_nothing_is_familiar_to_it_and_nothing_is_saved(model, clips, tmp_path):
  seen = model.assess(clips, TEXTS[0])
  np.testing.assert_array_equal(seen.reward, model.score(clips, TEXTS[0]))
  assert not seen.familiarity.any() and not seen.trust.any()
  assert seen.probability is None
  with pytest.raises(ValueError, match="share that"):
    model.save(tmp_path / "mine")
  with pytest.raises(KeyError, match="no failure prompts"):
    model.failure_modes(clips, TEXTS[0])


def test_what_is_no_backbone_is_told(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(
    FileNotFoundError, match=r"none\.safetensors is not there"
  ):
    reward.load("none.safetensors")
  (tmp_path / pretrained.SHIPPED).mkdir()  # Whatever folders there are.
  source = pretrained.read(pretrained.shipped())
  source.tokenizer.save(tmp_path / "tokenizer.json")
  path = tmp_path / "old.safetensors"
  pretrained.save(path, source.params, tmp_path / "tokenizer.json", {})
  assert not pretrained.has_sizes(path) and pretrained.has_sizes(
    "small_backbone"
  )
  with pytest.raises(ValueError, match="not on record"):
    reward.load(path)

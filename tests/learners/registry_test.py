"""Run folders as scorers."""

import json

import jax
import numpy as np
import pytest

from a2r import reward
from a2r.core import checkpoint
from a2r.evaluation import scoring
from a2r.learners import dvd, encoding, registry
from a2r.models import adapt2reward as net
from a2r.models import heads, scorer
from a2r.models.singularity import singularity
from tests import tiny as tiny_models
from tests.tiny import BACKBONE, KNOWN, draw_like

LABELS = ["Closing something", "Moving something away from the camera"]
LABELS.append("Opening something")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
  """Folder of an untrained Adapt2Reward run."""
  folder = tmp_path_factory.mktemp("runs") / "tiny"
  tiny_models.make_run(folder)
  return folder


@pytest.fixture(scope="module")
def clips():
  draw = np.random.default_rng(0)
  return draw.integers(0, 256, (5, 5, 24, 20, 3), np.uint8)


def make_run(folder, method):
  """A run folder of a baseline with an untrained model."""
  config = singularity.Config(**BACKBONE)
  backbone = draw_like(net.params_like(encoding.plain_model(config)))
  params, extra = dict(backbone), {}
  frames = np.zeros((1, 2, 16, 16, 3))
  if method == "concept2robot":
    model = heads.Classifier(config, len(LABELS), 0.1)
    params["head"] = draw_like(
      jax.eval_shape(
        lambda: model.init(jax.random.key(0), frames, method="video")
      )["params"]["head"]
    )
  if method == "dvd":
    extra = backbone | {"mean": np.zeros(8, np.float32), "std": np.ones(8)}
    model = heads.Discriminator()
    example = np.zeros((1, 8))
    shapes = jax.eval_shape(model.init, jax.random.key(0), example, example)
    params = draw_like(shapes, scale=0.05)["params"]
  spec = {
    "instructions": KNOWN,
    "num_trained": 2,
    "classes": LABELS,
    "readings": dict(zip(KNOWN, LABELS, strict=True)),
  }
  settings = {
    "method": method,
    "model": {"backbone": BACKBONE},
    "loss": {"temperature": 0.1},
    "concept2robot": {"score": "log_odds"},
  }
  tiny_models.write_run(folder, settings, spec, params, extra=extra)
  if method == "dvd":
    demos = np.random.default_rng(1).integers(0, 256, (6, 2, 16, 16, 3))
    np.savez(
      folder / dvd.DEMOS_FILE,
      frames=demos.astype(np.uint8),
      labels=np.array(LABELS * 2),
    )


@pytest.fixture(scope="module")
def folders(tiny):
  """Method -> run folder."""
  made = {"adapt2reward": tiny}
  for method in registry.METHODS:
    if method not in made:
      made[method] = tiny.parent / method
      make_run(made[method], method)
  return made


@pytest.mark.parametrize("method", registry.METHODS)
def test_every_method_is_a_scorer(folders, clips, method):
  one, other = (registry.load_scorer(folders[method]) for _ in range(2))
  assert one.name == method
  assert one.image_size == 16 and one.num_frames == 2
  for name in ("encode_fn", "score_fn"):
    left, right = getattr(one, name), getattr(other, name)
    assert left == right and hash(left) == hash(right), name
  scores = scorer.scores(one, clips, KNOWN)
  assert scores.shape == (5, 3) and scores.dtype == np.float32
  assert np.isfinite(scores).all()
  assert (np.ptp(scores, axis=0) > 0).all()
  # A text is judged by itself, and may be said in other words.
  again = scorer.scores(one, clips[::-1], [KNOWN[2], "Close the drawer!"])
  np.testing.assert_allclose(again, scores[::-1, [2, 0]], rtol=1e-4, atol=1e-5)
  with pytest.raises((KeyError, ValueError), match="\u62bd\u5c49"):
    one.context_fn([KNOWN[0], "\u62bd\u5c49"])
  if method in ("concept2robot", "dvd"):
    with pytest.raises(KeyError, match="'fly'.*'closing drawer'"):
      one.context_fn(["fly"])


@pytest.mark.parametrize("method", registry.METHODS)
def test_every_method_is_described(folders, clips, method):
  model = scoring.load(folders[method])
  assert model.instructions == KNOWN
  words = scoring.describe(model, clips[0], "Close the drawer")
  assert "read as: closing drawer" in words
  assert "opening box" in words
  score = model.form_scores(clips[:1], KNOWN)[model.form][0, 0]
  assert f"Reward: {score:.4f}" in words


@pytest.mark.parametrize(
  "form, which",
  [("cosine", "best"), ("softmax", "newest"), ("own_failures", "best")],
)
def test_scores_are_those_of_the_reward(tiny, clips, form, which):
  path = tiny / "reward.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | {"form": form}))
  model = reward.load(tiny, which)
  one = registry.load_scorer(tiny, which)
  texts = ["Close the drawer", "opening box", "opening jar"]
  np.testing.assert_allclose(
    scorer.scores(one, clips, texts), model.scores(clips, texts), atol=1e-6
  )


def test_an_exported_reward_is_a_scorer(tiny, tmp_path):
  one = registry.load_scorer(tiny)
  reward.load(tiny).save(tmp_path / "exported")
  for other in (
    registry.load_scorer(tiny, "newest"),
    registry.load_scorer(tmp_path / "exported"),
  ):
    assert (one.encode_fn, one.score_fn) == (other.encode_fn, other.score_fn)


def test_what_is_no_run_is_named(folders, tmp_path):
  with pytest.raises(FileNotFoundError, match="no trained run"):
    registry.load_scorer(tmp_path / "nothing")
  (tmp_path / "config.json").write_text(json.dumps({"method": "magic"}))
  with pytest.raises(ValueError, match="'magic'; known: adapt2reward"):
    registry.load_scorer(tmp_path)
  assert not checkpoint.exists(tmp_path)
  with pytest.raises(ValueError, match="'liv'.*registry.load_scorer"):
    reward.load(folders["liv"])

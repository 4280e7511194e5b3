"""Recalls by hand, and the two stages on a model whose answers are known."""

import jax
import numpy as np
import pytest

from a2r.evaluation import retrieval
from a2r.models.singularity import singularity
from tests import tiny

CONFIG = tiny.config(fusion_layer=0, max_positions=8, pooling="flat", itm=True)


def test_recalls_by_hand():
  scores = np.array([[3.0, 2, 1], [3, 2, 1], [3, 2, 1]])
  right = np.eye(3, dtype=bool)
  assert retrieval.recalls(scores, right) == {"r1": 1 / 3, "r5": 1, "r10": 1}
  # The best of several right answers counts.
  right[2] = [True, False, True]
  assert retrieval.recalls(scores, right)["r1"] == 2 / 3
  # A constant score finds nothing.
  recalls = retrieval.recalls(np.zeros((12, 12)), np.eye(12, dtype=bool))
  assert set(recalls.values()) == {0.0}


@pytest.fixture(scope="module")
def known():
  """Five clips of three captions, and what the model says of all pairs."""
  model = singularity.Singularity(CONFIG)
  draw = np.random.default_rng(0)
  frames = draw.integers(0, 256, (5, 2, 8, 8, 3)).astype(np.uint8)
  ids = draw.integers(5, 12, (3, 4)).astype(np.int32)
  mask = np.ones_like(ids)
  scaled = frames / np.float32(127.5) - 1
  shapes = jax.eval_shape(model.init, jax.random.key(0), scaled, ids, mask)
  params = jax.tree.map(
    lambda s: (0.5 * draw.standard_normal(s.shape)).astype(s.dtype),
    shapes["params"],
  )
  params["temp"] = np.float32(1)
  output = jax.jit(model.apply)({"params": params}, scaled, ids, mask)
  captions = retrieval.Texts(ids, mask, np.array([0, 1, 2, 1, 0]))
  return model, params, frames, captions, jax.device_get(output)


def _expected(to_text, to_video, own):
  """Recall at 1 by plain counting."""
  video = np.mean([to_text[v].argmax() == own[v] for v in range(len(own))])
  text = np.mean([own[to_video[n].argmax()] == n for n in range(3)])
  return text, video


def test_both_stages_are_the_models_scores(known):
  model, params, frames, captions, output = known
  sim, logits = output.sim, output.itm_logits[..., 1]
  result = retrieval.evaluate(
    model, params, frames, captions, captions, num_reranked=2, chunk_size=2
  )
  text, video = _expected(sim, sim.T, captions.own)
  assert result["text_to_video/r1"] == pytest.approx(text)
  assert result["video_to_text/r1"] == pytest.approx(video)
  assert result["top1"] == pytest.approx(video)
  assert result["top5"] == result["video_to_text/r5"] == 1.0
  to_text, to_video = logits.copy(), logits.T.copy()
  for scores, order in ((to_text, sim), (to_video, sim.T)):
    for row, worst in enumerate(np.argsort(-order, axis=1)[:, 2:]):
      scores[row, worst] = -100
  text, video = _expected(to_text, to_video, captions.own)
  assert result["matched/text_to_video/r1"] == pytest.approx(text)
  assert result["matched/video_to_text/r1"] == pytest.approx(video)


def test_without_reranking_there_is_one_stage(known):
  model, params, frames, captions, _ = known
  larger = np.repeat(np.repeat(frames, 2, axis=2), 2, axis=3)
  result = retrieval.evaluate(model, params, larger, captions, chunk_size=2)
  assert sorted(result) == [
    f"{way}/{k}"
    for way in ("text_to_video", "video_to_text")
    for k in ("r1", "r10", "r5")
  ]

"""Scorers: chunks, frame choice, memory, equality, and the clock."""

import functools
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from a2r.models import adapt2reward as net
from a2r.models import scorer
from tests import mistakes


def first_and_last(params, frames):
  del params
  level = frames[:, :, 0, 0, 0].astype(jnp.float32)
  return {"first": level[:, 0], "last": level[:, -1]}


def difference(params, features, context):
  change = features["last"] - features["first"]
  return params * change[:, None] + context[None]


def make_scorer():
  return scorer.Scorer(
    name="difference",
    params=jnp.float32(2),
    encode_fn=first_and_last,
    score_fn=difference,
    context_fn=lambda texts: jnp.array([float(len(t)) for t in texts]),
    num_frames=3,
    image_size=4,
  )


@pytest.mark.parametrize("num", [1, 7, 40, 93])
def test_scores_of_chunks(num):
  levels = np.arange(num) % 50
  clips = np.zeros((num, 9, 8, 6, 3), np.uint8)
  clips[:, -1] = levels[:, None, None, None]
  clips[:, 3] = 255  # None of the three frames that are looked at.
  scores = scorer.scores(make_scorer(), clips, ["ab", "abcd"])
  assert scores.dtype == np.float32
  expected = 2 * levels[:, None] + np.array([2, 4])
  np.testing.assert_allclose(scores, expected)


def test_clips_one_by_one_score_as_the_array_of_them():
  rng = np.random.default_rng(0)
  clips = rng.integers(0, 256, (5, 7, 20, 30, 3), dtype=np.uint8)
  expected = scorer.scores(make_scorer(), clips, ["ab"])
  objects = np.empty(5, object)
  objects[:] = list(clips)
  for each in (list(clips), iter(clips), objects, jnp.asarray(clips)):
    scores = scorer.scores(make_scorer(), each, ["ab"])
    np.testing.assert_array_equal(scores, expected)
  # Of any size and length: each as it scores alone.
  sizes = [(1, 4, 4), (3, 16, 2), (9, 17, 40), (2, 300, 5)]
  clips = [rng.integers(0, 256, (*s, 3), dtype=np.uint8) for s in sizes]
  together = scorer.scores(make_scorer(), clips, ["ab"])
  for clip, score in zip(clips, together, strict=True):
    for same in (clip, scorer.shrink(clip, 4)):
      alone = scorer.scores(make_scorer(), same[None], ["ab"])
      np.testing.assert_array_equal(alone[0], score)


def test_a_mapped_file_scores_as_its_array(tmp_path):
  clips = np.random.default_rng(0).integers(0, 256, (3, 5, 9, 6, 3), np.uint8)
  np.save(tmp_path / "clips.npy", clips)
  expected = scorer.scores(make_scorer(), clips, ["ab"])
  for mode in ("r", "r+", "c"):
    mapped = np.load(tmp_path / "clips.npy", mmap_mode=mode)
    if mode == "c":  # Changes of this process alone, which stay.
      mapped[0] += 1
    scores = scorer.scores(make_scorer(), mapped, ["ab"])
    np.testing.assert_array_equal(scores[1:], expected[1:])
    np.testing.assert_array_equal(mapped[0], clips[0] + (mode == "c"))
    # A copy of one is of its class, and in no file.
    scores = scorer.scores(make_scorer(), [mapped[1].copy()], ["ab"])
    np.testing.assert_array_equal(scores, expected[1:2])


def test_no_more_pixels_than_fit_go_through_the_model(monkeypatch):
  monkeypatch.setattr(scorer, "_MAX_PIXELS", 5 * 3 * 4 * 4)
  sizes = []

  def encode(params, frames):
    sizes.append(len(frames))
    return first_and_last(params, frames)

  few = make_scorer()._replace(encode_fn=encode)
  assert scorer.scores(few, np.ones((9, 3, 4, 4, 3), np.uint8), ["a"]).any()
  assert set(sizes) == {4}
  few = few._replace(num_frames=30, encode_fn=lambda *a: encode(*a))
  scorer.scores(few, np.ones((2, 3, 4, 4, 3), np.uint8), ["a"])
  assert set(sizes) == {4, 1}


_MEMORY = """
import resource
import numpy as np
from a2r.models import scorer
from tests.models import scorer_test

def peak():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def score(num):
  clip = np.ones((3, 1080, 1920, 3), np.uint8)
  many = ([clip] * num, (clip for _ in range(num)))
  for clips in many[:1] if num == 1 else many:
    scorer.scores(model, clips, ["ab"])

model = scorer_test.make_scorer()
score(1)
before = peak()
score(64)
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_clips():
  done = subprocess.run(
    [sys.executable, "-c", _MEMORY],
    cwd=pathlib.Path(__file__).parents[2],
    capture_output=True,
    text=True,
    check=True,
  )
  # A clip is 19 MB, its frames as floats 75.
  assert float(done.stdout) < 60


@pytest.mark.parametrize(
  "clips, names",
  [
    (np.zeros((2, 3, 4, 4, 3)), "uint8 float64 [2,3,4,4,3]"),
    (None, "None"),
    ([], "got none"),
    (iter([]), "got none"),
    (np.zeros((0, 3, 4, 4, 3), np.uint8), "none of them zero"),
    ([np.zeros((3, 4, 4, 3), np.uint8), np.zeros((3, 4, 4, 3))], "clip 1:"),
    (iter([np.zeros((3, 4, 4), np.uint8)]), "clip 0: [3,4,4] [clip]"),
    (np.zeros((3, 4, 4, 3), np.uint8), "[3,4,4,3] clip[None]"),
    ("clips.mp4", "clip 0: uint8 <U1"),
  ],
)
def test_clips_of_another_type_are_an_error(clips, names):
  call = functools.partial(scorer.scores, make_scorer(), clips, ["a"])
  mistakes.check(call, ValueError, names)


def test_cosine_and_forms():
  video = jnp.array([[1.0, 0], [0.6, 0.8]])
  text = jnp.array([[0.0, 1], [1, 0], [-1, 0]])
  values = scorer.CosineScore()({}, video, text)
  np.testing.assert_allclose(values, [[0, 1, -1], [0.8, 0.6, -0.6]], rtol=1e-6)
  texts = net.Texts(
    text, text, jnp.arange(3), jnp.zeros((3, 1, 2)), jnp.zeros(3, bool)
  )
  params = {"temperature": jnp.float32(0.5)}
  for form, fn in net.FORMS.items():
    np.testing.assert_array_equal(
      scorer.FormScore(form)(params, video, texts), fn(video, texts, 0.5)
    )

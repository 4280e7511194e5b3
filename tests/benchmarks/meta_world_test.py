"""The figures of Meta-World's clips, on made-up scores and features."""

import numpy as np
import pytest

from a2r.evaluation import metrics


@pytest.fixture
def meta_world(benchmark_module):
  return benchmark_module("meta_world")


@pytest.fixture
def clips(meta_world):
  """Two successes and two failures of every task."""
  task = np.repeat(list(meta_world.TASKS), 4)
  success = np.tile([True, True, False, False], len(meta_world.TASKS))
  return meta_world.Clips(np.zeros((len(task), 3, 1)), success, task, task)


def test_a_reward_that_knows_everything(meta_world, clips):
  texts = np.array(list(meta_world.TASKS))
  known = (clips.task[:, None] == texts) & clips.success[:, None]
  scores = known[:, None].repeat(3, axis=1).astype(float)
  figures = meta_world.measure(clips, scores)
  for name in ("own", "other", "pair", "choice"):
    np.testing.assert_array_equal(figures[name], [1, 1, 1])
  np.testing.assert_array_equal(figures["opposite"], [0.5, 0.5, 0.5])
  limits = meta_world.interval(clips, [scores, scores])
  np.testing.assert_array_equal(limits["own"], np.ones((2, 3)))


def test_a_reward_that_reads_no_text_and_sees_one_camera(meta_world, clips):
  scores = np.zeros((len(clips.task), 3, len(meta_world.TASKS)))
  scores[:, 0] = clips.success[:, None]
  figures = meta_world.measure(clips, scores)
  for name in ("own", "other", "opposite"):
    np.testing.assert_array_equal(figures[name], [1, 0.5, 0.5])
  for name in ("pair", "choice"):  # A tie is not higher.
    np.testing.assert_array_equal(figures[name], [0, 0, 0])


def test_figures_are_areas_under_the_curve(meta_world, clips):
  shape = len(clips.task), 3, len(meta_world.TASKS)
  scores = np.random.default_rng(0).integers(4, size=shape)  # With ties.
  expected = [
    metrics.auroc(scores[rows, 1, column], clips.success[rows])
    for column, task in enumerate(meta_world.ADAPTED)
    for rows in [np.flatnonzero(clips.task == task)]
  ]
  found = meta_world.measure(clips, scores)["own"][1]
  np.testing.assert_allclose(found, np.mean(expected))


def test_a_probe_finds_what_tells_success(meta_world):
  draw = np.random.default_rng(0)
  tasks = list(meta_world.TASKS)[:2]
  success = np.tile([True, False], 20)
  clips = meta_world.Clips(None, success, np.repeat(tasks, 20), None)
  features = draw.normal(size=(40, 5))
  features[:20, 1] += 4 * success[:20]
  features[20:, 3] -= 4 * success[20:]
  unseen = np.zeros((2, 3, 5))
  unseen[0, :, 1], unseen[1, :, 3] = 4, 4
  scores = meta_world.probe(clips, features, unseen)
  assert (scores[0, :, 0] > scores[1, :, 0]).all()
  assert (scores[0, :, 1] > scores[1, :, 1]).all()
  assert (scores[..., 2:] == 0).all()


def test_pixels_are_told_by_what_changed(meta_world):
  frames = np.zeros((1, 4, 32, 32, 3), np.uint8)
  frames[0, -1, 2:4, :2, 0] = 255
  change = meta_world.pixel_differences(frames).reshape(16, 16, 3)
  assert change[1, 0, 0] == 1 and np.count_nonzero(change) == 1

"""Figures of predicted windows, by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from a2r.evaluation import figures, video_prediction
from a2r.models.fitvid import fitvid

CONFIG = fitvid.Config(image_size=16, filters=(4, 8), stride=4)
WINDOWS = 3


@pytest.fixture(scope="module")
def frames():
  """Black; one tick after now, a quarter of the pixels turns gray."""
  frames = np.zeros((WINDOWS, 4, 16, 16, 3), np.uint8)
  frames[:, 2:, :8, :8] = 51  # 0.2
  return frames


def evaluate(frames, predicted):
  batch = {"frames": frames, "actions": np.zeros((WINDOWS, 3, 20))}
  return video_prediction.evaluate(
    CONFIG, lambda *_: np.float32(predicted), None, batch
  )


def test_by_hand(frames):
  found = evaluate(frames, np.full((WINDOWS, 2, 16, 16, 3), 0.1))
  np.testing.assert_array_equal(found.horizons, [4, 8])
  np.testing.assert_allclose(found.moved, [0.25, 0.25])
  # 0.1 off everywhere; the copy is 0.2 off in a quarter: mse 0.01 both.
  for name in ("model", "copy_last"):
    np.testing.assert_allclose(getattr(found, name)["psnr"], 20, rtol=1e-4)
  np.testing.assert_allclose(found.model["psnr_moved"], 20, rtol=1e-4)
  np.testing.assert_allclose(
    found.copy_last["psnr_moved"], -10 * np.log10(0.04), rtol=1e-4
  )


def test_a_perfect_prediction(frames):
  found = evaluate(frames, frames[:, 2:] / 255)
  assert found.model["psnr"].min() > 99 and found.model["ssim"].min() > 0.999
  assert found.copy_last["ssim"].max() < 0.999
  assert found.window_psnr.shape == (WINDOWS,)


def test_typical_windows_go_from_worst_to_best(frames):
  predicted = np.zeros((WINDOWS, 2, 16, 16, 3))
  predicted[0] += 0.1
  predicted[2] += 0.3
  found = evaluate(frames, predicted)
  np.testing.assert_array_equal(video_prediction.typical(found, 3), [2, 0, 1])


def test_table_and_picture(frames):
  found = evaluate(frames, frames[:, 2:] / 255)
  table = video_prediction.table(found)
  assert table.header[:4] == ["steps", "moved", "psnr", "copy"]
  assert [row[:2] for row in table.rows] == [[4, "25.0%"], [8, "25.0%"]]
  assert [row[-4] for row in table.rows] == ["1.000"] * 2
  picture = figures.foresight(
    frames, frames[:, 2:] / 255, found, labels=["a"] * WINDOWS, title="t"
  )
  with Image.open(io.BytesIO(picture)) as image:
    assert min(image.size) > 300


def test_unknown_latent():
  with pytest.raises(ValueError, match="unknown latent"):
    video_prediction.make_predict_fn(CONFIG, "mode")

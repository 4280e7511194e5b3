"""Video files: every container, rotation, and files that are not whole."""

import types

import av
import numpy as np
import pytest

from data import video

_CORNERS = [[(250, 20, 20), (20, 250, 20)], [(20, 20, 250), (250, 250, 250)]]
_FORMATS = {
  "mp4": ("libx264", "yuv420p"),
  "mkv": ("libx264", "yuv420p"),
  "webm": ("libvpx-vp9", "yuv420p"),
  "gif": ("gif", "rgb8"),
}


def _pictures(num_frames):
  """Four colored corners; a black bar in the middle grows with time."""
  corners = np.uint8(_CORNERS).repeat(16, 0).repeat(24, 1)
  pictures = np.stack([corners] * num_frames)
  for index, picture in enumerate(pictures):
    picture[14:18, : 4 * index] = 0
  return pictures


def _write(path, pictures, display=None):
  codec, pixels = _FORMATS[path.suffix[1:]]
  with av.open(str(path), "w") as container:
    stream = container.add_stream(codec, rate=10)
    stream.height, stream.width = pictures.shape[1:3]
    stream.pix_fmt = pixels
    if display:
      stream.set_display_rotation(*display)
    for picture in pictures:
      frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return path


@pytest.mark.parametrize("suffix", _FORMATS)
def test_every_container(tmp_path, suffix):
  pictures = _pictures(10)
  path = _write(tmp_path / f"clip.{suffix}", pictures)
  frames = video.load_video(path)
  assert frames.shape == pictures.shape and frames.dtype == np.uint8
  assert np.abs(frames.astype(int) - pictures).mean() < 16
  chosen = video.load_video(path, num_frames=4)
  np.testing.assert_array_equal(chosen, frames[[0, 3, 6, 9]])


def test_long_and_short_videos(tmp_path, monkeypatch):
  path = _write(tmp_path / "clip.mp4", _pictures(12))
  once = video.load_video(path, num_frames=5, num_threads=1)
  monkeypatch.setattr(video, "_MAX_KEPT", 3 * 32 * 48)
  twice = video.load_video(path, num_frames=5)
  np.testing.assert_array_equal(twice, once)
  path = _write(tmp_path / "clip.mp4", _pictures(2))
  frames = video.load_video(path, num_frames=4)
  np.testing.assert_array_equal(frames[1:], frames[[1, 1, 1]])


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_shown_as_the_display_matrix_says(tmp_path, degrees, flip, suffix):
  pictures = _pictures(2)
  path = _write(tmp_path / f"clip.{suffix}", pictures, (degrees, flip))
  expected = np.rot90(pictures[0], degrees // 90)
  if flip:
    expected = expected[:, ::-1]
  frames = video.load_video(path)
  assert frames[0].shape == expected.shape
  assert np.abs(frames[0].astype(int) - expected).mean() < 16


def test_missing_empty_and_foreign_files(tmp_path):
  path = tmp_path / "clip.mp4"
  cases = [(b"", "the file is empty"), (b"no video " * 50, "not a readable")]
  with pytest.raises(video.VideoError, match=f"{path}: no such file"):
    video.load_video(path)
  for data, message in cases:
    path.write_bytes(data)
    with pytest.raises(video.VideoError, match=message) as caught:
      video.load_video(path, num_frames=2)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_sound_only(tmp_path):
  path = tmp_path / "sound.mp4"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("aac", rate=16000, layout="mono")
    silence = np.zeros((1, 1024), np.float32)
    frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
    frame.sample_rate = 16000
    container.mux(stream.encode(frame))
    container.mux(stream.encode())
  with pytest.raises(video.VideoError, match="holds no video stream"):
    video.load_video(path)


@pytest.mark.parametrize("damage", ["cut", "zeros"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_damaged_files(tmp_path, suffix, damage):
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (20, 32, 48, 3)).astype(np.uint8)
  path = _write(tmp_path / f"clip.{suffix}", noise)
  data = path.read_bytes()
  middle, kind = len(data) // 2, "cut short|not a readable"
  if damage == "zeros":
    zeros = bytes(3000)
    data = data[:middle] + zeros + data[middle + len(zeros) :]
    middle, kind = len(data), f"clip.{suffix}: "
  path.write_bytes(data[:middle])
  with pytest.raises(video.VideoError, match=kind):
    video.load_video(path)


def test_frames_without_a_time_are_skipped(monkeypatch):
  frames = [types.SimpleNamespace(time=t) for t in (None, 0.0, None, 0.5)]
  monkeypatch.setattr(video, "_decode", lambda path, start: frames)
  monkeypatch.setattr(video, "_to_rgb", lambda frame: frame.time)
  found = video.load_times("x", [0.0, 0.5], tolerance=0.05)
  assert found.tolist() == [0.0, 0.5]
  with pytest.raises(video.VideoError, match="no frame at 0.300 s"):
    video.load_times("x", [0.3], tolerance=0.05)

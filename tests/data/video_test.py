"""Video files: containers, clocks, streams, and files that are not whole."""

import fractions
import gc
import re
import types

import av
import numpy as np
import pytest
from PIL import Image

from a2r.core import images
from data import video

_CORNERS = [[(250, 20, 20), (20, 250, 20)], [(20, 20, 250), (250, 250, 250)]]
_MS = fractions.Fraction(1, 1000)
_FORMATS = {
  "mp4": ("libx264", "yuv420p"),
  "mkv": ("libx264", "yuv420p"),
  "webm": ("libvpx-vp9", "yuv420p"),
  "gif": ("gif", "rgb8"),
  "avi": ("mpeg4", "yuv420p"),
}


def _pictures(num_frames):
  """Four colored corners; a black bar in the middle grows with time."""
  corners = np.uint8(_CORNERS).repeat(16, 0).repeat(24, 1)
  pictures = np.stack([corners] * num_frames)
  for index, picture in enumerate(pictures):
    picture[14:18, : 4 * index] = 0
  return pictures


def _film(path, times, *, last=0, skip=0, codec=None, **attributes):
  """Frames at `times` in ms whose gray is 10 + 8 x number.

  The last lasts `last` ms; without the first `skip` packets. `attributes` are
  the encoder's.
  """
  with av.open(str(path), "w") as container:
    stream = container.add_stream(codec or _FORMATS[path.suffix[1:]][0], 25)
    stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
    stream.time_base = stream.codec_context.time_base = _MS
    for name, value in attributes.items():
      setattr(stream.codec_context, name, value)
    packets = []
    for number, time in enumerate(times):
      packets += stream.encode(_frame(number, time, stream.pix_fmt))
    for packet in (packets + stream.encode())[skip:]:
      if last and packet.pts is not None:
        step = last if packet.pts >= times[-1] else times[1] - times[0]
        packet.duration = step
      container.mux(packet)
  return path


def _frame(number, time, pixels):
  gray = np.full((32, 48, 4), 10 + 8 * number, np.uint8)
  gray[..., 3] = 0
  frame = av.VideoFrame.from_ndarray(gray, format="rgba")
  frame = frame.reformat(format=pixels)
  frame.pts, frame.time_base = time, _MS
  return frame


def _numbers(frames):
  return ((frames.mean((1, 2, 3)) - 10) / 8).round().astype(int).tolist()


def _warnings(caplog):
  return [record.getMessage() for record in caplog.records]


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


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mp4", "flv"])
def test_titles_are_in_any_encoding(tmp_path, suffix):
  path = tmp_path / f"a.{suffix}"
  with av.open(str(path), "w") as container:
    container.metadata["title"] = "the title"
    stream = container.add_stream("mpeg4" if suffix != "flv" else "flv", 25)
    stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
    for number in range(5):
      container.mux(stream.encode(_frame(number, 40 * number, "yuv420p")))
    container.mux(stream.encode())
  content = path.read_bytes()
  assert b"the title" in content
  title = "der Gr\u00fc\u00dfe".encode("latin-1")
  path.write_bytes(content.replace(b"the title", title))
  assert _numbers(video.load_video(path)) == list(range(5))


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
  frames = [(t, types.SimpleNamespace(time=t)) for t in (None, 0.0, None, 0.5)]
  monkeypatch.setattr(video, "_decode", lambda path, start: frames)
  monkeypatch.setattr(video, "_stack", lambda _, chosen: chosen)
  found = video.load_times("x", [0.0, 0.5], tolerance=0.05)
  assert [frame.time for frame in found] == [0.0, 0.5]
  with pytest.raises(video.VideoError, match="no frame at 0.300 s"):
    video.load_times("x", [0.3], tolerance=0.05)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "flv"])
def test_last_frame_may_be_held(tmp_path, suffix):
  path = tmp_path / f"a.{suffix}"
  codec, _ = _FORMATS.get(suffix, _FORMATS["mp4"])
  _film(path, range(0, 1000, 100), last=3000, codec=codec)
  assert _numbers(video.load_video(path)) == list(range(10))
  whole = path.read_bytes()
  for share in (0.5, 0.6, 0.7):
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(video.VideoError, match="cut short|readable|no video"):
      video.load_video(path)


def test_gif_may_pause_before_it_loops(tmp_path):
  grays = [np.full((32, 48), 10 + 8 * i, np.uint8) for i in range(5)]
  first, *others = map(Image.fromarray, grays)
  for number, duration in enumerate(([100] * 4 + [3000], [3000] + [100] * 4)):
    path = tmp_path / f"{number}.gif"
    first.save(path, save_all=True, append_images=others, duration=duration)
    assert _numbers(video.load_video(path)) == list(range(5))


@pytest.mark.parametrize(
  "suffix", ["mkv", "webm", "mp4", "mov", "ts", "wmv", "nut", "flv"]
)
def test_clock_may_begin_anywhere(tmp_path, suffix):
  path = tmp_path / f"a.{suffix}"
  codec = {"webm": "libvpx-vp9", "wmv": "wmv2"}.get(suffix, "libx264")
  _film(path, range(100_000, 101_000, 40), codec=codec)
  assert _numbers(video.load_video(path)) == list(range(25))
  found = video.load_times(path, [0.0, 0.4, 0.96], tolerance=0.02)
  assert _numbers(found) == [0, 10, 24]


def test_late_clock_hides_no_cut(tmp_path):
  path = tmp_path / "a.mkv"
  _film(path, range(100_000, 101_000, 40), codec="mjpeg", pix_fmt="yuvj420p")
  data = path.read_bytes()
  path.write_bytes(data[: len(data) * 2 // 3])
  with pytest.raises(video.VideoError, match="cut short, .* of 1.00 s"):
    video.load_video(path)


def test_frames_are_chosen_evenly_in_time(tmp_path):
  fast, slow = range(0, 1000, 50), range(1000, 5000, 500)
  path = _film(tmp_path / "a.mp4", [*fast, *slow])
  chosen = _numbers(video.load_video(path, num_frames=10))  # Every 0.5 s.
  assert chosen == [0, 10, *range(20, 28)]
  # A camera that lost frames in the middle.
  path = _film(tmp_path / "b.mkv", [*range(0, 400, 40), *range(2000, 2400, 40)])
  assert _numbers(video.load_video(path, num_frames=4)) == [0, 9, 10, 19]
  # One frame was lost behind the first: the fourth is a third of the way.
  assert video.spread([0, *range(80, 500, 40)], 4) == [0, 3, 7, 11]


@pytest.mark.parametrize(
  "times",
  [
    [round(1000 * i / 30) for i in range(30)],  # Rounded to milliseconds.
    [40 * i + (0, 9, 3)[i % 3] for i in range(30)],  # A phone's.
    [None] * 30,
  ],
)
def test_steady_rates_are_chosen_by_number(times):
  for num_frames in (1, 4, 7, 30, 40):
    expected = images.frame_indices(30, num_frames).tolist()
    assert video.spread(times, num_frames) == expected


def _streams(path, counts, attached=None):
  """Streams of as many frames, of which one is an attached picture."""
  with av.open(str(path), "w") as container:
    streams = []
    for place in range(len(counts)):
      codec = "mjpeg" if place == attached else "libx264"
      stream = container.add_stream(codec, rate=10)
      stream.width, stream.height = 48, 32
      stream.pix_fmt = "yuvj420p" if place == attached else "yuv420p"
      stream.time_base = stream.codec_context.time_base = _MS
      if place == attached:
        stream.disposition = av.stream.Disposition.attached_pic
      streams.append(stream)
    for place, (stream, count) in enumerate(zip(streams, counts, strict=True)):
      for number in range(count):
        frame = _frame(10 * place + number, 100 * number, stream.pix_fmt)
        container.mux(stream.encode(frame))
      container.mux(stream.encode())
  return path


def test_cover_picture_is_no_film(tmp_path, caplog):
  path = _streams(tmp_path / "a.mp4", [1, 8], attached=0)
  assert _numbers(video.load_video(path)) == list(range(10, 18))
  found = video.load_times(path, [0.0, 0.2], tolerance=0.05)
  assert _numbers(found) == [10, 12]
  assert not _warnings(caplog)
  path = _streams(tmp_path / "b.mp4", [1], attached=0)
  with pytest.raises(video.VideoError, match="holds no video stream"):
    video.load_video(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_longest_stream_is_the_film(tmp_path, caplog, suffix):
  path = _streams(tmp_path / f"a.{suffix}", [3, 8, 8])
  assert _numbers(video.load_video(path)) == list(range(10, 18))
  found = video.load_times(path, [0.0, 0.2], tolerance=0.05)
  assert _numbers(found) == [10, 12]
  (warning,) = _warnings(caplog)
  assert "number 2 of 3: 0.30 s, 0.80 s, 0.80 s" in warning


def test_a_cut_is_told_of_formats_without_a_length(tmp_path):
  grays = [np.full((32, 48), 10 + 8 * i, np.uint8) for i in range(20)]
  first, *others = map(Image.fromarray, grays)
  path = tmp_path / "a.gif"
  first.save(path, save_all=True, append_images=others, duration=100)
  data = path.read_bytes()
  for more in (b"\0\0", b"a note"):
    path.write_bytes(data + more)
    assert len(video.load_video(path)) == 20
  for share in (0.5, 0.8):
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(video.VideoError, match="cut short|damaged"):
      video.load_video(path)


def test_an_avi_is_as_long_as_it_says(tmp_path):
  path = _write(tmp_path / "a.avi", _pictures(40))
  data = path.read_bytes()
  frames = [match.start() for match in re.finditer(b"00dc", data)]
  for number in (10, 30):  # Between two frames.
    path.write_bytes(data[: frames[number]])
    with pytest.raises(video.VideoError, match="cut short, .* of 4.00 s"):
      video.load_video(path)


def test_pictures_of_any_size_are_not_decoded(tmp_path, monkeypatch):
  path = _film(tmp_path / "a.mp4", range(0, 200, 40))
  monkeypatch.setattr(video, "MAX_PIXELS", 1000)
  with pytest.raises(video.VideoError, match="a.mp4: pictures of 48 x 32 pix"):
    video.load_video(path)


def test_what_is_said_of_films_is_gathered(tmp_path, caplog):
  hdr = _film(tmp_path / "a.mkv", range(0, 200, 40), color_trc=16)
  late = _streams(tmp_path / "b.mkv", [3, 8])
  with video.noting() as inner, video.noting() as outer:
    for _ in range(2):  # Not only when it is logged.
      inner.clear()
      video.load_video(hdr)
      (note,) = inner
      assert note.startswith("HDR (PQ)") and "a.mkv" not in note
    video.load_times(late, [0.0, 0.2], tolerance=0.05)
    assert len(inner) == len(outer) == 2
  video.load_video(_film(tmp_path / "c.mkv", [0, 40], color_trc=18))
  assert len(inner) == 2 and len(_warnings(caplog)) == 3


@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
def test_hdr_is_told_once(tmp_path, caplog, transfer, name):
  path = _film(tmp_path / "a.mkv", range(0, 400, 40), color_trc=transfer)
  for _ in range(2):
    video.load_video(path, num_frames=2)
  (warning,) = _warnings(caplog)
  assert warning.startswith(f"{path}: HDR ({name})")


@pytest.mark.parametrize(
  "name, codec, pixels",
  [("a.mov", "qtrle", "argb"), ("a.webm", "libvpx-vp9", "yuva420p")],
)
def test_transparent_pixels_are_told(tmp_path, caplog, name, codec, pixels):
  path = tmp_path / name
  _film(path, range(0, 400, 40), codec=codec, pix_fmt=pixels)
  video.load_video(path)
  (warning,) = _warnings(caplog)
  assert f"{path}: " in warning and "solid" in warning


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_start_without_a_key_frame_is_told(tmp_path, caplog, suffix):
  path = tmp_path / f"a.{suffix}"
  options = {"sc_threshold": "0"}  # Key frames by number alone.
  _film(path, range(0, 1000, 40), skip=1, gop_size=10, options=options)
  assert _numbers(video.load_video(path)) == list(range(10, 25))
  (warning,) = _warnings(caplog)
  assert "a start that cannot be decoded" in warning and "0.36 s" in warning


def test_frames_are_free_when_a_video_is_read(tmp_path):
  path = _film(tmp_path / "a.mkv", range(0, 400, 40))
  gc.collect()
  gc.disable()  # Of itself it looks after a thousand frames.
  try:
    video.load_video(path, num_frames=3)
    video.load_times(path, [0.0, 0.2], tolerance=0.05)
    held = [x for x in gc.get_objects() if isinstance(x, av.VideoFrame)]
  finally:
    gc.enable()
  assert not held


def test_mpeg_ts_that_ends_within_a_packet_is_cut_short(tmp_path):
  path = _film(tmp_path / "a.ts", range(0, 800, 40), codec="libx264")
  assert len(video.load_video(path)) == 20
  content = path.read_bytes()
  path.write_bytes(content[: len(content) // 2 // 188 * 188 + 99])
  with pytest.raises(video.VideoError, match="a.ts: cut short"):
    video.load_video(path)


@pytest.mark.parametrize("num_frames", [0, -1, 1.5, "4", 10**12])
def test_a_number_of_frames_that_cannot_be_meant(tmp_path, num_frames):
  path = _film(tmp_path / "a.mkv", range(0, 400, 40))
  with pytest.raises(ValueError, match="num_frames must be"):
    video.load_video(path, num_frames=num_frames)


def test_a_codec_that_nothing_decodes_is_told(tmp_path):
  path = _film(tmp_path / "a.mkv", range(0, 400, 40))
  content = path.read_bytes()
  assert content.count(b"V_MPEG4/ISO/AVC") == 1
  path.write_bytes(content.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/AVC"))
  with pytest.raises(video.VideoError, match="a.mkv: its codec is not known"):
    video.load_video(path)

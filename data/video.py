"""Video files to frames, by PyAV: mp4, webm, mkv, gif and what FFmpeg reads.

Of a file with several video streams the longest is read; cover pictures are
none. Times are seconds from the first frame of it, wherever its time stamps
begin, and it ends when its last frame has been shown. What may look otherwise
than the user sees it is logged, once for each file, and given to `noting`: a
choice of streams, a start that cannot be decoded, HDR, transparent pixels.

Letters: T frames, H W picture size. Nothing here imports TensorFlow.
"""

import contextlib
import functools
import gc
import os
import re
from collections.abc import Iterator, Sequence

import av
import numpy as np
from absl import logging
from av.video.reformatter import ColorTrc

from a2r.core import checks, images
from data.images import MAX_PIXELS

_TS_PACKETS = (188, 192, 204)  # Bytes.
_MIN_SHARE_OF_LENGTH = 0.9  # Below it a file counts as cut short.
# Formats whose length is the time of the end, wherever the clock begins.
_ENDS = ("matroska,webm", "asf", "nut")
_HDR = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}
_CLOCK = re.compile(r"(\d+):(\d+):(\d+(?:\.\d*)?)\s*")
_MAX_KEPT = 1 << 28  # Bytes of decoded frames; a longer video is read twice.
# What Git leaves in the place of a large file that it has not fetched.
_POINTER_HEAD = b"version https://git-lfs"
POINTER = "not fetched: a pointer of Git LFS, `git lfs pull` brings the file"


class VideoError(ValueError):
  """A video file that cannot be read; one line, beginning with the path."""


def _free_frames(function):
  """Frees the frames that a function has decoded, when it is done.

  A frame and its side data hold each other. Python counts such objects, not
  their megabytes, before it looks for them: tens of videos would be in memory.
  """

  @functools.wraps(function)
  def load(*args, **kwargs):
    try:
      return function(*args, **kwargs)
    finally:
      gc.collect(1)

  return load


def is_pointer(path: str | os.PathLike) -> bool:
  """Returns whether a file is a pointer of Git LFS, see `POINTER`."""
  with open(path, "rb") as stream:
    return stream.read(len(_POINTER_HEAD)) == _POINTER_HEAD


_noted: list[set[str]] = []  # Of each `noting` that is open.


@contextlib.contextmanager
def noting() -> Iterator[set[str]]:
  """Gives a set that fills with what is logged of the videos read inside.

  It has one note of each kind, without the files' names.
  """
  found = set()
  _noted.append(found)
  try:
    yield found
  finally:
    _noted.remove(found)


@_free_frames
def load_video(
  path: str | os.PathLike,
  *,
  num_frames: int | None = None,
  num_threads: int = 0,
) -> np.ndarray:
  """Returns the frames of a video file as they are meant to be shown.

  The display matrix (rotation and mirroring that phones write instead of
  turning the pixels) is applied. With `num_frames` only these are kept of a
  long video, which is decoded twice, so that it does not fill the memory.

  Args:
    path: the file.
    num_frames: T, evenly spaced in time, the first and the last among them; a
      shorter video repeats its last frame. None returns all frames.
    num_threads: threads that decode; 0 leaves it to FFmpeg, and 1 is best
      where several files are read at once.

  Returns:
    uint8 `[T, H, W, 3]`, RGB.

  Raises:
    VideoError: the file is missing, empty, not a video, damaged or cut short.
    ValueError: no such number of frames.
  """
  if num_frames is not None:
    checks.count("num_frames", num_frames, 1, checks.MAX_FRAMES)
  path = os.fspath(path)
  kept, times, size = {}, [], 0
  for index, (time, frame) in enumerate(_decode(path, num_threads)):
    times.append(time)
    size += frame.width * frame.height * 3 // 2
    if num_frames is None or size <= _MAX_KEPT:
      kept[index] = frame
  if len(times) == 1 and num_frames != 1:
    note(path, "a single frame: a clip that stands still")
  indices = range(len(times))
  if num_frames is not None:
    indices = spread(times, num_frames)
  if len(kept) < len(times):
    kept.clear()  # Before as many are held again.
    kept = {
      index: frame
      for index, (_, frame) in enumerate(_decode(path, num_threads))
      if index in indices
    }
  return _stack(path, [kept[index] for index in indices])


@_free_frames
def load_times(
  path: str | os.PathLike, times: Sequence[float], *, tolerance: float
) -> np.ndarray:
  """Returns the frames of a video file that are shown at given times.

  Only what lies between the first and the last of them is decoded, from the
  key frame before it.

  Args:
    path: the file.
    times: T seconds from the first frame of the video, in order.
    tolerance: seconds by which a frame's time may differ.

  Returns:
    uint8 `[T, H, W, 3]`, RGB.

  Raises:
    VideoError: the file cannot be read, or has no frame at one of the times.
  """
  path = os.fspath(path)
  nearest = [(np.inf, None)] * len(times)  # Distance in seconds, frame.
  for shown, frame in _decode(path, start=times[0]):
    if shown is None:
      continue
    for place, time in enumerate(times):
      distance = abs(shown - time)
      if distance < nearest[place][0]:
        nearest[place] = distance, frame
    if shown > times[-1] + tolerance:
      break
  for time, (distance, _) in zip(times, nearest, strict=True):
    if distance > tolerance:
      raise VideoError(f"{path}: no frame at {time:.3f} s")
  return _stack(path, [frame for _, frame in nearest])


def frame_times(path: str | os.PathLike) -> np.ndarray:
  """Returns when the frames of a video file are shown; none is decoded.

  Args:
    path: the file.

  Returns:
    `[N]` seconds from the first frame, in order.

  Raises:
    VideoError: the file cannot be read.
  """
  path = os.fspath(path)
  with _open(path) as (container, stream):
    times = [
      float(packet.pts * packet.time_base)
      for packet in container.demux(stream)
      if packet.pts is not None and not packet.is_discard
    ]
    return np.sort(times) - _begin(stream)


def spread(times: Sequence[float | None], num_frames: int) -> list[int]:
  """Returns the indices of T frames nearest to evenly spaced times.

  By number where that is the same to half a frame, as at a constant rate, and
  where some frame has no time, the times do not rise, or there are at most T.

  Args:
    times: `[N]` seconds, in the order of the frames; None for no time.
    num_frames: T.
  """
  by_number = images.frame_indices(len(times), num_frames).tolist()
  if len(times) <= num_frames or None in times:
    return by_number
  even, step = np.linspace(times[0], times[-1], len(times), retstep=True)
  if (np.diff(times) <= 0).any() or np.abs(times - even).max() <= step / 2:
    return by_number
  wanted = np.linspace(times[0], times[-1], num_frames)
  distance = np.abs(np.subtract.outer(wanted, times))
  return distance.argmin(1).tolist()


def _decode(
  path: str, num_threads: int = 0, start: float | None = None
) -> Iterator[tuple[float | None, av.VideoFrame]]:
  """Yields the frames of a video and when they are shown, or raises VideoError.

  All of them, or those from the key frame before the second `start` on. The
  times are seconds from the video's start, None where the file has none.
  """
  num_decoded, end = 0, 0.0
  with _open(path) as (container, stream):
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = num_threads
    length = _length(container, stream)
    begin = _begin(stream)
    # A seek in MPEG-TS, which has no index, ends between key frames.
    if start is not None and container.format.name != "mpegts":
      offset = int((begin + start) / stream.time_base)
      container.seek(offset, stream=stream)
    for frame in container.decode(stream):
      if frame.is_corrupt:
        raise VideoError(f"{path}: frame {num_decoded} is damaged")
      _check_size(path, frame)
      num_decoded += 1
      time = None if frame.time is None else frame.time - begin
      lasts = float(frame.duration * (frame.time_base or 0))
      lasts = lasts or 1.0 / float(stream.guessed_rate or 25)
      end = max(end, (time or 0.0) + lasts)
      if num_decoded == 1 and start is None and (time or 0.0) > 1.5 * lasts:
        note(
          path, "a start that cannot be decoded is left out: the file begins "
          "without a key frame", f"{time:.2f} s",
        )  # fmt: skip
      yield time, frame
    is_cut = _is_cut(path, container.format.name, end, length)
  if not num_decoded:
    raise VideoError(f"{path}: the video stream holds no readable frame")
  if is_cut:
    raise VideoError(
      f"{path}: cut short, {num_decoded} frames end at {end:.2f} s"
      + f" of {length:.2f} s" * (length > end)
    )


def _is_cut(path: str, kind: str, end: float, length: float) -> bool:
  """Whether a file of a format lacks its end: it has frames until `end`."""
  is_short = end < _MIN_SHARE_OF_LENGTH * length
  if kind == "gif":  # It does not state its length, but ends with two bytes.
    return is_short or b"\0;" not in _tail(path, 64)
  if kind == "flv" and is_short:
    # Its last frame, which does not say how long it lasts, may be held. Behind
    # each of its parts is the size of this, and in a part's head is its own.
    size = int.from_bytes(_tail(path, 4))
    return int.from_bytes(_tail(path, size + 4)[1:4]) + 11 != size
  if kind == "mpegts":  # Nor does this; it is of packets of one size.
    size = os.path.getsize(path)
    return is_short or all(size % packet for packet in _TS_PACKETS)
  return is_short


def _tail(path: str, num_bytes: int) -> bytes:
  """Returns the last bytes of a file."""
  with open(path, "rb") as stream:
    stream.seek(max(0, os.path.getsize(path) - num_bytes))
    return stream.read(num_bytes)


def _check_size(path, picture: av.VideoFrame | av.VideoStream):
  """Refuses a picture of more pixels than memory should be asked for."""
  if picture.width * picture.height > MAX_PIXELS:
    raise VideoError(
      f"{path}: pictures of {picture.width} x {picture.height} pixels, at most "
      f"{MAX_PIXELS} are read"
    )


@contextlib.contextmanager
def _open(path: str):
  """Gives the container and the stream to read; faults become VideoErrors."""
  if not os.path.isfile(path):
    raise VideoError(f"{path}: no such file")
  if os.path.getsize(path) == 0:
    raise VideoError(f"{path}: the file is empty (0 bytes)")
  if is_pointer(path):
    raise VideoError(f"{path}: {POINTER}")
  try:
    # Cameras write titles in any encoding.
    with av.open(path, metadata_errors="replace") as container:
      yield container, _find_stream(path, container)
  except (av.error.FFmpegError, EOFError) as error:
    reason = getattr(error, "strerror", error)
    raise VideoError(f"{path}: not a readable video: {reason}") from error


def _find_stream(path, container) -> av.VideoStream:
  """Returns the longest video stream that is no cover picture."""
  films = [
    stream
    for stream in container.streams.video
    if not stream.disposition & av.stream.Disposition.attached_pic
  ]
  if not films:
    raise VideoError(f"{path}: holds no video stream")
  films = [stream for stream in films if stream.codec_context is not None]
  if not films:
    raise VideoError(f"{path}: its codec is not known")
  # Of those that do not state their length, the one with more frames.
  longest = max(films, key=lambda s: (_length(container, s), s.frames))
  if len(films) > 1:
    lengths = ", ".join(f"{_length(container, s):.2f} s" for s in films)
    note(
      path, "of several video streams the longest is read",
      f"number {films.index(longest) + 1} of {len(films)}: {lengths}",
    )  # fmt: skip
  if longest.metadata.get("alpha_mode") == "1":
    note(path, "an alpha channel is not read: every pixel counts as solid")
  _check_size(path, longest)
  return longest


def _begin(stream) -> float:
  """Seconds on the file's clock at which a stream begins."""
  return (stream.start_time or 0) * float(stream.time_base or 0)


def _length(container, stream) -> float:
  """Seconds that a stream lasts; 0 where the file does not say."""
  stated = 0.0
  # Matroska's, whose `duration` may be that of another stream.
  tag = _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))
  if tag:
    hours, minutes, seconds = map(float, tag.groups())
    stated = 3600 * hours + 60 * minutes + seconds
  elif stream.duration and stream.time_base:
    stated = float(stream.duration * stream.time_base)
    if container.format.name == "avi" and stream.average_rate:
      # FFmpeg takes the rest of a cut file from the duration.
      stated = max(stated, stream.frames / float(stream.average_rate))
  elif len(container.streams) == 1 and container.duration:
    stated = container.duration / av.time_base
  begin = _begin(stream)
  if container.format.name in _ENDS and stated > begin:
    stated -= begin
  return stated


def _stack(path, frames: Sequence[av.VideoFrame]) -> np.ndarray:
  """Returns frames as uint8 `[T, H, W, 3]`, RGB."""
  for transfer in sorted({frame.color_trc for frame in frames} & _HDR.keys()):
    note(
      path, f"HDR ({_HDR[transfer]}): its levels are taken as they are, so it "
      "looks duller than on a screen; convert it to SDR (BT.709)",
    )  # fmt: skip
  if any(_is_transparent(frame) for frame in frames):
    note(
      path, "transparent pixels are taken as solid, in the color that is "
      "stored beneath; render it without an alpha channel",
    )  # fmt: skip
  pictures = [_to_rgb(frame) for frame in frames]
  sizes = sorted({picture.shape for picture in pictures})
  if len(sizes) > 1:
    raise VideoError(
      f"{path}: the picture size changes from {sizes[0][:2]} to {sizes[1][:2]}"
    )
  return np.stack(pictures)


def _is_transparent(frame: av.VideoFrame) -> bool:
  if not any(component.is_alpha for component in frame.format.components):
    return False
  return bool(frame.to_ndarray(format="rgba")[..., 3].min() < 255)


def note(path: str | os.PathLike, kind: str, more: str = ""):
  """Notes what is done with a file, and logs it once."""
  for found in _noted:
    found.add(kind)
  _log_once(f"{path}: {kind}{more and f' ({more})'}")


@functools.lru_cache(maxsize=1024)
def _log_once(note: str):
  logging.warning("%s", note)


def _to_rgb(frame: av.VideoFrame) -> np.ndarray:
  """Returns a frame as uint8 `[H, W, 3]`, turned as its file asks.

  By FFmpeg's display matrix a pixel in column p and row q is shown in column
  a p + c q and row b p + d q (up to a shift), where a, b, c, d are its entries
  [0, 0], [0, 1], [1, 0], [1, 1]; to the nearest quarter turn, with mirroring.
  """
  pixels = frame.to_ndarray(format="rgb24")
  for side_data in frame.side_data:
    if side_data.type == av.sidedata.sidedata.Type.DISPLAYMATRIX:
      matrix = np.frombuffer(bytes(side_data), "<i4").reshape(3, 3)
      (a, b), (c, d) = matrix[:2, :2].astype(np.int64)
      if abs(b) > abs(a):
        pixels = pixels.swapaxes(0, 1)
        a, d = c, b
      if a < 0:
        pixels = pixels[:, ::-1]
      if d < 0:
        pixels = pixels[::-1]
  return np.ascontiguousarray(pixels)

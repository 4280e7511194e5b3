"""Video files to frames, by PyAV: mp4, webm, mkv, gif and what FFmpeg reads.

Letters: T frames, H W picture size. Nothing here imports TensorFlow.
"""

import os
from collections.abc import Iterator, Sequence

import av
import numpy as np

from a2r.core import images

_MIN_SHARE_OF_DURATION = 0.9  # Below it a file counts as cut short.
_MAX_KEPT = 1 << 28  # Bytes of decoded frames; a longer video is read twice.


class VideoError(ValueError):
  """A video file that cannot be read; one line, beginning with the path."""


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
    num_frames: T, evenly spaced, the first and the last among them; None
      returns all frames.
    num_threads: threads that decode; 0 leaves it to FFmpeg, and 1 is best
      where several files are read at once.

  Returns:
    uint8 `[T, H, W, 3]`, RGB.

  Raises:
    VideoError: the file is missing, empty, not a video, damaged or cut short.
  """
  path = os.fspath(path)
  kept, num_available, size = {}, 0, 0
  for index, frame in enumerate(_decode(path, num_threads)):
    num_available += 1
    size += frame.width * frame.height * 3 // 2
    if num_frames is None or size <= _MAX_KEPT:
      kept[index] = frame
  indices = range(num_available)
  if num_frames is not None:
    indices = images.frame_indices(num_available, num_frames).tolist()
  if len(kept) < num_available:
    kept.clear()  # Before as many are held again.
    kept = {
      index: frame
      for index, frame in enumerate(_decode(path, num_threads))
      if index in indices
    }
  pictures = {index: _to_rgb(kept[index]) for index in sorted(set(indices))}
  sizes = sorted({picture.shape for picture in pictures.values()})
  if len(sizes) > 1:
    raise VideoError(
      f"{path}: the picture size changes from {sizes[0][:2]} to {sizes[1][:2]}"
    )
  return np.stack([pictures[index] for index in indices])


def load_times(
  path: str | os.PathLike, times: Sequence[float], *, tolerance: float
) -> np.ndarray:
  """Returns the frames of a video file that are shown at given times.

  Only what lies between the first and the last of them is decoded, from the
  key frame before it.

  Args:
    path: the file.
    times: T seconds, in order.
    tolerance: seconds by which a frame's time may differ.

  Returns:
    uint8 `[T, H, W, 3]`, RGB.

  Raises:
    VideoError: the file cannot be read, or has no frame at one of the times.
  """
  path = os.fspath(path)
  nearest = [(np.inf, None)] * len(times)  # Distance in seconds, frame.
  for frame in _decode(path, start=times[0]):
    if frame.time is None:
      continue
    for place, time in enumerate(times):
      distance = abs(frame.time - time)
      if distance < nearest[place][0]:
        nearest[place] = distance, frame
    if frame.time > times[-1] + tolerance:
      break
  for time, (distance, _) in zip(times, nearest, strict=True):
    if distance > tolerance:
      raise VideoError(f"{path}: no frame at {time:.3f} s")
  return np.stack([_to_rgb(frame) for _, frame in nearest])


def _decode(
  path: str, num_threads: int = 0, start: float | None = None
) -> Iterator[av.VideoFrame]:
  """Yields the frames of the first video stream, or raises VideoError.

  All of them, or those from the key frame before the second `start` on.
  """
  if not os.path.isfile(path):
    raise VideoError(f"{path}: no such file")
  if os.path.getsize(path) == 0:
    raise VideoError(f"{path}: the file is empty (0 bytes)")
  num_decoded, end = 0, 0.0
  try:
    with av.open(path) as container:
      if not container.streams.video:
        raise VideoError(f"{path}: holds no video stream")
      stream = container.streams.video[0]
      stream.thread_type = "AUTO"
      stream.codec_context.thread_count = num_threads
      duration = _duration(container, stream)
      begin = (stream.start_time or 0) * float(stream.time_base or 0)
      if start is not None:
        container.seek(int(start / stream.time_base), stream=stream)
      for frame in container.decode(stream):
        if frame.is_corrupt:
          raise VideoError(f"{path}: frame {num_decoded} is damaged")
        num_decoded += 1
        end = max(end, (frame.time or 0.0) - begin)
        yield frame
      end += 1.0 / float(stream.guessed_rate or 25)
  except (av.error.FFmpegError, EOFError) as error:
    reason = getattr(error, "strerror", error)
    raise VideoError(f"{path}: not a readable video: {reason}") from error
  if not num_decoded:
    raise VideoError(f"{path}: the video stream holds no readable frame")
  if end < _MIN_SHARE_OF_DURATION * duration:
    raise VideoError(
      f"{path}: cut short, {num_decoded} frames end at {end:.2f} s of "
      f"{duration:.2f} s"
    )


def _duration(container, stream) -> float:
  """Length of the stream in seconds; 0 where the file does not say."""
  if stream.duration and stream.time_base:
    return float(stream.duration * stream.time_base)
  stated = stream.metadata.get("DURATION", "")
  if stated.count(":") == 2:
    hours, minutes, seconds = stated.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
  if len(container.streams) == 1 and container.duration:
    return container.duration / av.time_base
  return 0.0


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

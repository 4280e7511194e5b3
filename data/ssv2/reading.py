"""Videos to JPEG files of their frames, on all cores.

Processes, not threads: Pillow writes a JPEG file with Python's lock held, about
a sixth of the work, so more than six threads would wait for each other. Nothing
here imports TensorFlow. Letters: T frames, S picture size.
"""

import collections
import contextlib
import functools
import itertools
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import NamedTuple

from data import images, video

_AHEAD = 4  # Videos per worker that are read before they are asked for.

MapFn = Callable[[Iterable[pathlib.Path]], Iterator["Loaded"]]


class Loaded(NamedTuple):
  """A video, or what is wrong with it."""

  jpegs: tuple[bytes, ...]  # T pictures of size S; none if it cannot be read.
  fault: str  # '' or the reason, without the path.


def load(path: pathlib.Path, *, num_frames: int, image_size: int) -> Loaded:
  """Reads one video; a file that cannot be read is no error here."""
  try:
    frames = video.load_video(path, num_frames=num_frames, num_threads=1)
  except (video.VideoError, OSError) as error:
    return Loaded((), str(error).removeprefix(f"{path}: "))
  frames = images.resize(frames, image_size)
  return Loaded(tuple(images.encode_jpeg(frame) for frame in frames), "")


@contextlib.contextmanager
def open_map(
  num_workers: int, *, num_frames: int, image_size: int
) -> Iterator[MapFn]:
  """Yields a function from paths to what is in them, one by one and in order.

  Of `num_workers` processes 0 takes one for each core, 1 works in this one. Few
  results wait at any time, and a worker has one file open.

  Raises:
    OSError: from the function, if a process died: FFmpeg crashed, or the
      memory was not enough.
  """
  num_workers = num_workers or len(os.sched_getaffinity(0))
  load_fn = functools.partial(
    load, num_frames=num_frames, image_size=image_size
  )
  if num_workers == 1:
    yield functools.partial(map, load_fn)
    return
  with futures.ProcessPoolExecutor(
    num_workers,
    mp_context=multiprocessing.get_context("spawn"),
    initializer=_start_worker,
  ) as executor:

    def load_in_order(paths):
      paths, waiting = iter(paths), collections.deque()
      try:
        while True:
          free = _AHEAD * num_workers - len(waiting)
          for path in itertools.islice(paths, free):
            waiting.append((path, executor.submit(load_fn, path)))
          if not waiting:
            return
          path, loaded = waiting.popleft()
          yield loaded.result()
      except futures.process.BrokenProcessPool as error:
        raise OSError(
          f"{path}: a process that reads videos died near this one; is there "
          "memory for all of them?"
        ) from error

    try:
      yield load_in_order
    finally:
      executor.shutdown(wait=False, cancel_futures=True)


def _start_worker():
  """Ctrl-C is the parent's to handle, and its end is the worker's too."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)

  def end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)

  threading.Thread(target=end_with_parent, daemon=True).start()

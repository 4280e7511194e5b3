"""How fast videos become records, and records batches, at the published size.

  python -m benchmarks.input_pipeline [--video=my.mkv] [--clips=24]

First the builder of Something-Something V2: webm of 427x240 pixels, 4 seconds
at 12 frames per second, to 16 stored frames of 224 pixels; seconds of a core
per clip by stage, bytes, threads against processes, and what that means for all
of the data set. Then batches of 24 clips of 4 frames from these records.

The clips are drawn, or cut from --video (not the whole data set is like it).
Other programs on the machine cost wall time; seconds of processor time per clip
suffer less. Prints tables and writes
benchmarks/results/input_pipeline-<backend>.json, or input_pipeline_video-... .
"""

import concurrent.futures
import functools
import pathlib
import tempfile
import time
from collections.abc import Callable

import numpy as np
from absl import app, flags

from benchmarks import results, ssv2_mini
from data import dataset, images, pipeline, records, store, video
from data.ssv2 import reading

_VIDEO = flags.DEFINE_string("video", None, "A video to cut the clips from.")
_CLIPS = flags.DEFINE_integer("clips", 24, "Videos that are read.")
_BATCHES = flags.DEFINE_integer("batches", 30, "Batches that are timed.")
_THREADS = flags.DEFINE_list("threads", ["1", "2"], "Threads and workers.")

_NUM_VIDEOS = 220_847  # Of the data set.
_EXPERIMENTS = 7 * 1000  # Training clips of configs/envgen.py:paper.
_SIZE = (240, 427)
_DURATION = 48  # Frames.
_STORED, _IMAGE_SIZE, _USED, _BATCH = 16, 224, 4, 24
_ROUNDS = 3  # The best is told: other programs only slow it down.
_BIT_RATE = 180_000  # 19 GB in 220,847 videos are about 86 kB each.


def main(_):
  with tempfile.TemporaryDirectory() as folder:
    paths = _make_videos(pathlib.Path(folder))
    rows = [_stages(paths)]
    for num_workers in map(int, _THREADS.value):
      rows += _workers(paths, num_workers)
    rows += _batches(*_store(pathlib.Path(folder), paths))
  for name, num in (("all", _NUM_VIDEOS), ("experiments", _EXPERIMENTS)):
    hours = num / rows[0]["clips_per_core_s"] / 3600
    size = num * rows[0]["jpeg_bytes"] / 1e9
    rows.append(_row(name, clips=num, core_hours=hours, GB=size))
  results.write(
    "input_pipeline_video" if _VIDEO.value else "input_pipeline",
    rows,
    source="cut from a video" if _VIDEO.value else "drawn",
    frame_size=_SIZE,
    frames=_DURATION,
    stored_frames=_STORED,
    image_size=_IMAGE_SIZE,
    batch=_BATCH,
    frames_used=_USED,
  )


def _row(what: str, **figures) -> dict:
  """Prints and returns a row."""
  print(what, *(f"{name} {x:.4g}" for name, x in figures.items()), flush=True)
  return {"what": what} | figures


def _make_videos(folder: pathlib.Path) -> list[pathlib.Path]:
  """Writes the clips as webm."""
  rng = np.random.default_rng(0)
  motions = list(ssv2_mini.MOTIONS.values())
  frames = None if _VIDEO.value is None else video.load_video(_VIDEO.value)
  paths = []
  for number in range(_CLIPS.value):
    if frames is None:
      motion = motions[number % len(motions)]
      pictures = ssv2_mini.draw(rng, motion, _DURATION, _SIZE)
    else:
      step = 3 if len(frames) >= 3 * _DURATION else 1
      first = rng.integers(max(1, len(frames) - step * _DURATION + 1))
      pictures = frames[first::step][:_DURATION]
    paths.append(folder / f"{number}.webm")
    ssv2_mini.write_webm(paths[-1], pictures, bit_rate=_BIT_RATE)
  return paths


def _stages(paths) -> dict:
  """Seconds of a core that one clip takes, stage by stage."""

  def seconds(fn: Callable, inputs):
    fn(inputs[0])
    began = time.process_time()
    outputs = [fn(value) for value in inputs]
    return (time.process_time() - began) / len(inputs), outputs

  load = functools.partial(video.load_video, num_frames=_STORED, num_threads=1)
  decode, clips = seconds(load, paths)
  resize, clips = seconds(lambda c: images.resize(c, _IMAGE_SIZE), clips)
  encode, jpegs = seconds(lambda c: [images.encode_jpeg(f) for f in c], clips)
  return _row(
    "stages",
    decode_s=decode,
    resize_s=resize,
    jpeg_s=encode,
    clips_per_core_s=1 / (decode + resize + encode),
    webm_bytes=float(np.mean([path.stat().st_size for path in paths])),
    jpeg_bytes=float(np.mean([sum(map(len, clip)) for clip in jpegs])),
  )


def _workers(paths, num_workers: int) -> list[dict]:
  """Clips per second of all workers together, as threads and processes."""
  sizes = {"num_frames": _STORED, "image_size": _IMAGE_SIZE}
  load_fn = functools.partial(reading.load, **sizes)
  rows = []
  with (
    concurrent.futures.ThreadPoolExecutor(num_workers) as threads,
    reading.open_map(num_workers, **sizes) as map_fn,
  ):
    maps = {
      "threads": functools.partial(threads.map, load_fn),
      "processes": map_fn,
    }
    for kind, map_of in maps.items():
      list(map_of(paths[: 2 * num_workers]))  # Starts them.
      rate = 0.0
      for _ in range(_ROUNDS):
        began = time.perf_counter()
        list(map_of(paths))
        rate = max(rate, len(paths) / (time.perf_counter() - began))
      rows.append(_row(kind, workers=num_workers, clips_per_s=rate))
  return rows


def _store(folder: pathlib.Path, paths):
  """The clips as one data set, and processor time to open one of them."""

  def make(_):
    sizes = {"num_frames": _STORED, "image_size": _IMAGE_SIZE}
    for number, path in enumerate(paths):
      yield records.Record(
        frames=reading.load(path, **sizes).jpegs,
        instruction="closing drawer",
        template="Closing something",
        source="human",
        seed=number,
      )

  store.write_shards(folder / "records", "human", {}, [len(paths)], make)
  began = time.process_time()
  opened = dataset.open_dataset(folder / "records", "human")
  return opened, (time.process_time() - began) / len(opened)


def _batches(clips, seconds: float) -> list[dict]:
  """Clips per second from records to batches in memory."""
  rows = [_row("open", cpu_s_per_clip=seconds)]
  for num_threads in map(int, _THREADS.value):
    spec = pipeline.BatchSpec(
      labels=["closing drawer"],
      batch_sizes={"human": _BATCH},
      num_frames=_USED,
      image_size=_IMAGE_SIZE,
      seed=0,
      num_threads=num_threads,
    )
    batches = pipeline.make_batches(
      None, clips, spec, num_steps=_BATCHES.value + 10
    )
    for _ in range(10):  # More than are made ahead.
      next(batches)
    wall, cpu = time.perf_counter(), time.process_time()
    num_clips = _BATCH * sum(1 for _ in batches)
    wall = time.perf_counter() - wall
    cpu = (time.process_time() - cpu) / num_clips
    rows.append(
      _row(
        "batches",
        threads=num_threads,
        clips_per_s=num_clips / wall,
        cpu_s_per_clip=cpu,
        clips_per_core_s=1 / cpu,
      )
    )
  return rows


if __name__ == "__main__":
  app.run(main)

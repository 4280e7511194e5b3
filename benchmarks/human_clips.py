"""How long the procedural human clips take, on this machine.

  python -m benchmarks.human_clips [--frames=4,8] [--clips=48] [--calls=10]

Seconds per call of `human_clips.sample_clips`, scenes and pictures, for each
number of frames; the median of some calls, and the first one, compilation
included. Run it under `taskset -c 0` for one core. Prints a table and writes
benchmarks/results/human_clips-<backend>.json.
"""

import time

import jax
import numpy as np
from absl import app, flags

from a2r.sim.humans import human_clips
from benchmarks import results

_FRAMES = flags.DEFINE_list("frames", ["4", "8"], "Frames per clip.")
_CLIPS = flags.DEFINE_integer("clips", 48, "Clips per call.")
_SIZE = flags.DEFINE_integer("size", 64, "Pixels of a side of the picture.")
_CALLS = flags.DEFINE_integer("calls", 10, "Calls per row.")


def _seconds(num_frames):
  """Seconds of the first call and of each later one."""
  labels = np.arange(_CLIPS.value, dtype=np.int32) % len(human_clips.TEMPLATES)
  seconds = []
  for call in range(_CALLS.value + 1):
    start = time.perf_counter()
    clips = human_clips.sample_clips(
      jax.random.key(call),
      labels,
      num_frames=num_frames,
      image_size=_SIZE.value,
    )
    jax.block_until_ready(clips)
    seconds.append(time.perf_counter() - start)
  return seconds[0], seconds[1:]


def main(_):
  rows = []
  for num_frames in map(int, _FRAMES.value):
    first, later = _seconds(num_frames)
    median = float(np.median(later))
    rate = _CLIPS.value * num_frames / median
    print(
      f"{_CLIPS.value} clips of {num_frames} frames: {median:.3f} s a call,"
      f" {rate:,.0f} frames/s (the first call: {first:.1f} s)"
    )
    rows.append(
      {
        "frames": num_frames,
        "first_call_s": first,
        "call_s": median,
        "least_s": min(later),
        "frames_per_s": rate,
      }
    )
  results.write("human_clips", rows, clips=_CLIPS.value, size=_SIZE.value)


if __name__ == "__main__":
  app.run(main)

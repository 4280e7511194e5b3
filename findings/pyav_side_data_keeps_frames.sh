#!/usr/bin/env bash
# One would guess: a decoded PyAV frame is freed when its last name goes, whether or not its side data was read.
# What happens: reading `frame.side_data` once ties the frame into a reference cycle: its picture stays in memory until Python's garbage collector runs (70 MB for a full-HD clip of 24 frames).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==2.2.6
venv/bin/python - <<'PY'
import gc
import sys

import av
import numpy as np

print("python", sys.version.split()[0], "av", av.__version__)
with av.open("film.mp4", "w") as film:
  stream = film.add_stream("mpeg4", rate=24)
  stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
  for number in range(24):
    picture = np.full((48, 64, 3), 10 * number, np.uint8)
    film.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
  film.mux(stream.encode())


def waiting(read_side_data):
  """Frames that only the garbage collector frees."""
  gc.collect()
  gc.disable()
  with av.open("film.mp4") as film:
    for frame in film.decode(video=0):
      if read_side_data:
        list(frame.side_data)
  del frame
  left = sum(isinstance(x, av.VideoFrame) for x in gc.get_objects())
  gc.enable()
  gc.collect()
  return left


plain, read = waiting(False), waiting(True)
print("frames left without reading side data:", plain)
print("frames left after reading it:", read)
sys.exit(0 if plain == 0 and read == 24 else 1)
PY

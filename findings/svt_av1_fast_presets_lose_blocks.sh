#!/usr/bin/env bash
# One would guess: a fast preset of SVT-AV1 costs bits or sharpness; at crf 5 every frame still is about the picture that was put in.
# What happens: presets 12 and 13 keep blocks of the frame before, wrong by 155 of 255 levels and at any crf, where a picture of 128 x 128 changes at once (12 is LeRobot's default); presets 8 and 10 are right to 1 level, x264 to 3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet av==18.1.0 numpy==2.4.6 2>/dev/null
SVT_LOG=1 venv/bin/python - <<'PY'
import io

import av
import numpy as np

print("PyAV", av.__version__, "with libsvtav1")
rng = np.random.default_rng(0)
size = 128
pictures = [
  np.where(rng.random((4, 4)) < 0.5, 205, 50)
  .astype(np.uint8)
  .repeat(size // 4, 0)
  .repeat(size // 4, 1)[..., None]
  .repeat(3, 2)
  for _ in range(20)
]


def largest_error(codec, **options):
  """Of the mean level of any of the 16 blocks of any frame."""
  stream = io.BytesIO()
  with av.open(stream, "w", format="mp4") as container:
    options = {name: str(value) for name, value in options.items()}
    film = container.add_stream(codec, 30, options=options)
    film.width, film.height, film.pix_fmt = size, size, "yuv420p"
    for picture in pictures:
      frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
      container.mux(film.encode(frame))
    container.mux(film.encode())
  stream.seek(0)
  with av.open(stream) as container:
    frames = container.decode(video=0)
    frames = [frame.to_ndarray(format="rgb24") for frame in frames]
  errors = np.subtract(frames, pictures, dtype=int)
  blocks = errors.reshape(20, 4, size // 4, 4, size // 4, 3).mean((2, 4, 5))
  return np.abs(blocks).max()


found = {}
for crf in (5, 30):
  for preset in (8, 10, 12, 13):
    found[preset, crf] = largest_error("libsvtav1", g=2, crf=crf, preset=preset)
    print(f"preset {preset}, crf {crf}: {found[preset, crf]:.1f} levels")
x264 = largest_error("libx264", g=2, crf=30, preset="ultrafast")
print(f"x264, its fastest preset, crf 30: {x264:.1f} levels")
assert x264 < 5
for (preset, _), error in found.items():
  assert error > 100 if preset >= 12 else error < 5, (preset, error)
PY

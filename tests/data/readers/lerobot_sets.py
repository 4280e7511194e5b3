"""Small LeRobot data sets as they lie on disk, and what is in them."""

import fractions
import json

import av
import numpy as np
import pyarrow
import pyarrow.parquet

from data import images

FPS = 10
LENGTHS = (6, 4, 5, 7)
FILES = (0, 0, 0, 1)  # Which file an episode is in.
CAMERA = "observation.images.top"


def level(episode, frame):
  """Gray of a frame: no two are alike."""
  return 10 + 30 * episode + 4 * frame


def write_video(file, levels, times=None):
  """A film of gray frames, at FPS or where `times` in milliseconds are."""
  file.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(file), "w") as container:
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
    stream.codec_context.gop_size = 4
    if times is not None:
      stream.codec_context.time_base = fractions.Fraction(1, 1000)
    for number, level in enumerate(levels):
      pixels = np.full((16, 32, 3), level, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      if times is not None:
        frame.pts = times[number]
        frame.time_base = stream.codec_context.time_base
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_table(file, columns):
  file.parent.mkdir(parents=True, exist_ok=True)
  pyarrow.parquet.write_table(pyarrow.table(columns), file)


def frame_columns(episodes):
  """Rows of frames; the odd episodes end without success."""
  numbers = [(e, f) for e in episodes for f in range(LENGTHS[e])]
  success = [f + 1 == LENGTHS[e] and e % 2 == 0 for e, f in numbers]
  pictures = [np.full((16, 32, 3), level(*n), np.uint8) for n in numbers]
  return {
    "episode_index": [e for e, _ in numbers],
    "next.reward": list(map(float, success)),
    "next.success": success,
    "image": [{"bytes": images.encode_jpeg(p), "path": ""} for p in pictures],
  }


def write_info(root, version, data, film, **features):
  info = {
    "codebase_version": version,
    "fps": FPS,
    "data_path": data,
    "video_path": film,
    "features": {
      CAMERA: {"dtype": "video"},
      "depth": {"dtype": "video", "info": {"video.is_depth_map": True}},
      "action": {"dtype": "float32"},
    }
    | features,
  }
  (root / "meta").mkdir(parents=True, exist_ok=True)
  (root / "meta" / "info.json").write_text(json.dumps(info))


def make_v3(root, tasks=("close the drawer",) * 4, columns=None, **features):
  """A data set of version 3: four episodes in two files."""
  file = "chunk-{chunk_index:03d}/file-{file_index:03d}"
  data, film = f"data/{file}.parquet", f"videos/{{video_key}}/{file}.mp4"
  write_info(root, "v3.0", data, film, **features)
  place = f"videos/{CAMERA}"
  write_table(
    root / "meta/episodes/chunk-000/file-000.parquet",
    {
      "episode_index": list(range(4)),
      "tasks": [[task] for task in tasks],
      "length": list(LENGTHS),
      "data/chunk_index": [0] * 4,
      "data/file_index": list(FILES),
      f"{place}/chunk_index": [0] * 4,
      f"{place}/file_index": list(FILES),
      f"{place}/from_timestamp": [0.0, 0.6, 1.0, 0.0],
      "stats/action/mean": [[0.0]] * 4,
    },
  )
  for number in (0, 1):
    inside = [e for e in range(4) if FILES[e] == number]
    levels = [level(e, f) for e in inside for f in range(LENGTHS[e])]
    write_video(root / place / f"chunk-000/file-00{number}.mp4", levels)
    table = frame_columns(inside)
    write_table(
      root / f"data/chunk-000/file-00{number}.parquet",
      {name: table[name] for name in columns or table},
    )
  return root


def change(path, file, **columns):
  """Rewrites a table with other columns; one that is None goes."""
  (file,) = path.glob(file)
  table = pyarrow.parquet.read_table(file).to_pydict() | columns
  write_table(file, {k: v for k, v in table.items() if v is not None})


EPISODES, TABLE = "meta/episodes/*/*.parquet", "data/*/file-000.parquet"
START = f"videos/{CAMERA}/from_timestamp"

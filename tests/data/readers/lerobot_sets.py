"""Small LeRobot data sets, laid out as the real ones."""

import json

import av
import numpy as np
import pyarrow
import pyarrow.parquet

FPS = 10
LENGTHS = (6, 4, 5, 7)
FILES = (0, 0, 0, 1)  # Which file an episode is in.
TASKS = ("close the drawer", "open the drawer", "close the drawer", "")
CAMERA = "observation.images.top"


def level(episode, frame):
  """Gray of a frame: no two are alike."""
  return 10 + 30 * episode + 4 * frame


def write_video(file, levels):
  file.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(file), "w") as container:
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
    stream.codec_context.gop_size = 4
    for level in levels:
      pixels = np.full((16, 32, 3), level, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame))
    container.mux(stream.encode())


def write_table(file, columns):
  file.parent.mkdir(parents=True, exist_ok=True)
  pyarrow.parquet.write_table(pyarrow.table(columns), file)


def frame_columns(episodes):
  """Rows of frames; the odd episodes end without success."""
  numbers = [(e, f) for e in episodes for f in range(LENGTHS[e])]
  last = [f + 1 == LENGTHS[e] for e, f in numbers]
  return {
    "episode_index": [e for e, _ in numbers],
    "frame_index": [f for _, f in numbers],
    "next.reward": [
      float(end and e % 2 == 0)
      for (e, _), end in zip(numbers, last, strict=True)
    ],
    "next.success": [
      end and e % 2 == 0 for (e, _), end in zip(numbers, last, strict=True)
    ],
  }


def info(version, data, film, **features):
  return {
    "codebase_version": version,
    "fps": FPS,
    "chunks_size": 1000,
    "data_path": data,
    "video_path": film,
    "features": {
      CAMERA: {"dtype": "video", "shape": [16, 32, 3]},
      "observation.images.depth": {
        "dtype": "video",
        "info": {"video.is_depth_map": True},
      },
      "action": {"dtype": "float32", "shape": [2]},
    }
    | features,
  }


def write_info(root, info):
  (root / "meta").mkdir(parents=True, exist_ok=True)
  (root / "meta" / "info.json").write_text(json.dumps(info))


def make_v3(root, tasks=("close the drawer",) * 4, columns=None, **features):
  """A data set of version 3: four episodes in two files."""
  write_info(
    root,
    info(
      "v3.0",
      "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
      "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
      **features,
    ),
  )
  starts = (0.0, 0.6, 1.0, 0.0)
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
      f"{place}/from_timestamp": list(starts),
      f"{place}/to_timestamp": [
        start + length / FPS
        for start, length in zip(starts, LENGTHS, strict=True)
      ],
      "stats/action/mean": [[0.0]] * 4,
    },
  )
  for number in (0, 1):
    inside = [e for e in range(4) if FILES[e] == number]
    levels = [level(e, f) for e in inside for f in range(LENGTHS[e])]
    write_video(root / place / f"chunk-000/file-00{number}.mp4", levels)
    table = frame_columns(inside)
    names = columns or list(table)
    write_table(
      root / f"data/chunk-000/file-00{number}.parquet",
      {name: table[name] for name in names},
    )
  return root

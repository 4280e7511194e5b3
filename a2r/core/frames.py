"""Which frames of a video a model sees."""

import numpy as np

MODES = ("ends", "middle", "rand")


def frame_indices(
  num_available: int,
  num_frames: int,
  mode: str = "ends",
  rng: np.random.Generator | None = None,
) -> np.ndarray:
  """Indices of the frames to take, in order.

  'middle' and 'rand' are those of Singularity (Lei et al.,
  https://arxiv.org/abs/2206.03428, released code): the video is cut into
  `num_frames` segments, and the middle frame of each is taken, or a random one
  (never the last of its segment; where a segment has no other, random distinct
  frames of the whole video). 'ends' is evenly spaced and always has the first
  and the last frame, which show whether the task was done.

  Args:
    num_available: frames of the video.
    num_frames: frames wanted; a shorter video repeats its last frame.
    mode: 'ends', 'middle' or 'rand'.
    rng: for 'rand'.

  Returns:
    `[num_frames]` int32.

  Raises:
    ValueError: an empty video, no frames wanted, an unknown mode, or 'rand'
      without an rng.
  """
  if num_available < 1 or num_frames < 1:
    raise ValueError(
      f"cannot take {num_frames} frames of a video of {num_available}"
    )
  taken = min(num_frames, num_available)
  if mode == "ends":
    indices = np.linspace(0, num_available - 1, taken).round()
  elif mode == "middle":
    edges = np.linspace(0, num_available, taken + 1).astype(int)
    indices = (edges[:-1] + edges[1:] - 1) // 2
  elif mode == "rand":
    if rng is None:
      raise ValueError("mode 'rand' needs an rng")
    indices = _random_indices(num_available, taken, rng)
  else:
    raise ValueError(f"unknown mode {mode!r}; known: {list(MODES)}")
  pad = (0, num_frames - taken)
  return np.pad(indices.astype(np.int32), pad, mode="edge")


def _random_indices(
  num_available: int, num_frames: int, rng: np.random.Generator
) -> np.ndarray:
  """One random frame of every segment, as `frame_indices` says."""
  edges = np.linspace(0, num_available, num_frames + 1).astype(int)
  if (np.diff(edges) < 2).any():
    return np.sort(rng.choice(num_available, num_frames, replace=False))
  return rng.integers(edges[:-1], edges[1:] - 1)

"""Pictures changed at random, for training.

Two ways: that of the published models (`random_resized_crop` and `flip`,
torchvision's on uint8) and a cheaper one (`augment`).

Letters: B clips, T frames, H W C picture (C = 3, RGB), S side wanted.
"""

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import images

_TRIES = 10  # Boxes drawn before the one in the middle is taken.
_GRAY = (0.299, 0.587, 0.114)
_PERMUTATIONS = np.eye(3, dtype=np.float32)[
  np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
]


def random_resized_crop(
  rng: jax.Array,
  frames: jax.Array,
  *,
  size: int,
  scale: tuple[float, float] = (0.5, 1.0),
  ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> jax.Array:
  """Crops and resizes as torchvision's RandomResizedCrop, one box per clip.

  Args:
    rng: key; consumed.
    frames: `[B, T, H, W, C]` uint8.
    size: S.
    scale: see `random_boxes`.
    ratio: the same.

  Returns:
    `[B, T, S, S, C]` uint8.
  """
  boxes = random_boxes(
    rng, len(frames), frames.shape[2:4], scale=scale, ratio=ratio
  )
  return crop_and_resize(frames, boxes, size)


def random_boxes(
  rng: jax.Array,
  num_boxes: int,
  picture: tuple[int, int],
  *,
  scale: tuple[float, float],
  ratio: tuple[float, float],
) -> jax.Array:
  """Draws boxes as torchvision's RandomResizedCrop does.

  The share of the area is uniform in `scale`, the logarithm of the ratio
  uniform, the place uniform; a draw that does not fit is drawn again, and after
  ten of these the box is the largest in the middle with a ratio in `ratio`.

  Args:
    rng: key; consumed.
    num_boxes: B.
    picture: H and W.
    scale: the least and the most of the picture's area that a box has.
    ratio: the least and the most of a box's width over its height.

  Returns:
    `[B, 4]` int32: top, left, height, width.

  Raises:
    ValueError: a range that is not rising, or outside (0, 1] for `scale`.
  """
  if not (0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1]):
    raise ValueError(
      "expected 0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1], "
      f"got scale={scale} and ratio={ratio}"
    )
  height, width = picture
  rng_area, rng_ratio, rng_place = jax.random.split(rng, 3)
  shape = (num_boxes, _TRIES)
  area = jax.random.uniform(rng_area, shape, minval=scale[0], maxval=scale[1])
  area = area * height * width
  low, high = np.log(ratio)
  aspect = jnp.exp(
    jax.random.uniform(rng_ratio, shape, minval=low, maxval=high)
  )
  sides = jnp.stack([jnp.sqrt(area / aspect), jnp.sqrt(area * aspect)], -1)
  sides = jnp.round(sides).astype(jnp.int32)
  whole = jnp.array([height, width])
  fits = ((sides > 0) & (sides <= whole)).all(-1)
  first = jnp.argmax(fits, axis=1)
  sides = jnp.take_along_axis(sides, first[:, None, None], axis=1)[:, 0]
  found = fits.any(1)[:, None]
  middle = [
    min(height, round(width / ratio[0])),
    min(width, round(height * ratio[1])),
  ]
  sides = jnp.where(found, sides, jnp.array(middle))
  drawn = jax.random.randint(rng_place, sides.shape, 0, whole - sides + 1)
  corner = jnp.where(found, drawn, (whole - sides) // 2)
  return jnp.concatenate([corner, sides], axis=1)


def crop_and_resize(
  frames: jax.Array, boxes: jax.Array, size: int
) -> jax.Array:
  """Cuts one box out of each clip and resizes it as `resize` does.

  Args:
    frames: `[B, T, H, W, C]` uint8.
    boxes: `[B, 4]` int32 top, left, height, width, within the picture.
    size: S.

  Returns:
    `[B, T, S, S, C]` uint8.
  """
  height, width = frames.shape[2:4]
  rows = _crop_matrix(boxes[:, 0], boxes[:, 2], height, size)
  columns = _crop_matrix(boxes[:, 1], boxes[:, 3], width, size)
  return images.resize_by(jnp.asarray(frames), rows, columns)


def flip(
  rng: jax.Array, frames: jax.Array, allowed: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Mirrors half of the clips that may be mirrored, left to right.

  Args:
    rng: key; consumed.
    frames: `[B, T, H, W, C]`.
    allowed: `[B]` bool. The published models were trained with all of them
      mirrored, also clips whose text says a direction; see
      `text.mirror` and `text.has_direction`.

  Returns:
    The frames, and `[B]` bool: which were mirrored.
  """
  flipped = jax.random.bernoulli(rng, shape=(len(frames),)) & allowed
  chosen = flipped[:, None, None, None, None]
  return jnp.where(chosen, frames[:, :, :, ::-1], frames), flipped


def augment(
  rng: jax.Array,
  frames: jax.Array,
  *,
  crop: float,
  color: float,
  warp: float = 0.0,
) -> jax.Array:
  """Changes crops, colors and view at random, all frames of a clip alike.

  Args:
    rng: key; consumed.
    frames: `[B, T, H, W, C]` uint8.
    crop: the most of either side that a crop leaves out, in [0, 1); the crop,
      its two sides drawn apart, is stretched back to H x W. 0 is none.
    color: strength in [0, 1): brightness, contrast and saturation are scaled
      by factors in 1 +- color, and a share `color` of the clips has its
      channels permuted. 0 is none.
    warp: the most that a corner of the picture moves along either side, as a
      share of it, in [0, 0.25), where no picture folds: a homography, as of a
      plane seen from another place. What comes in repeats the edge. 0 is none.

  Returns:
    `[B, T, H, W, C]` float32 levels in [0, 255], for `normalize`.

  Raises:
    ValueError: a strength out of its range.
  """
  for name, value, most in (
    ("crop", crop, 1), ("color", color, 1), ("warp", warp, 0.25),
  ):  # fmt: skip
    if not 0 <= value < most:
      raise ValueError(f"{name} must be in [0, {most}), got {value}")
  rng_crop, rng_color = jax.random.split(rng)
  x = frames.astype(jnp.float32)
  if warp:
    x = _random_warp(jax.random.fold_in(rng, 2), x, warp)
  if crop:
    x = _random_crop(rng_crop, x, crop)
  if color:
    x = _random_color(rng_color, x, color)
  return x


def _random_crop(rng: jax.Array, x: jax.Array, crop: float) -> jax.Array:
  """Bilinear crop and stretch of `[B, T, H, W, C]` by two matrices a clip."""
  batch, num_frames, height, width, channels = x.shape
  rng_side, rng_place = jax.random.split(rng)
  side = jax.random.uniform(rng_side, (2, batch), minval=1 - crop)
  start = jax.random.uniform(rng_place, (2, batch)) * (1 - side)
  rows = _linear_matrix(start[0], side[0], height)
  cols = _linear_matrix(start[1], side[1], width)
  x = x.reshape(batch, num_frames, height, width * channels)
  x = jnp.einsum("bhi,btik->bthk", rows, x)
  x = x.reshape(batch, num_frames * height, width, channels)
  x = jnp.einsum("bwj,bnjc->bnwc", cols, x)
  return x.reshape(batch, num_frames, height, width, channels)


def _random_warp(rng: jax.Array, x: jax.Array, warp: float) -> jax.Array:
  """One homography per clip of `[B, T, H, W, C]`, bilinear."""
  size = jnp.array(x.shape[2:4]) - 1.0
  corners = jnp.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
  shape = (len(x), *corners.shape)
  moved = corners + jax.random.uniform(rng, shape, minval=-warp, maxval=warp)
  axes = [jnp.linspace(0, 1, side) for side in x.shape[2:4]]
  places = jnp.stack(jnp.meshgrid(*axes, jnp.ones(1), indexing="ij"), axis=-1)

  def warp_clip(clip, moved):
    seen = places[:, :, 0] @ _homography(corners, moved).T
    return _sample(clip, seen[..., :2] / seen[..., 2:] * size)

  return jax.vmap(warp_clip)(x, moved)


def _homography(source: jax.Array, target: jax.Array) -> jax.Array:
  """`[3, 3]`: maps four places `[4, 2]` to four others."""

  def equations(source, target):
    place, zeros = jnp.append(source, 1.0), jnp.zeros(3)
    first = jnp.concatenate([place, zeros, -target[0] * source])
    second = jnp.concatenate([zeros, place, -target[1] * source])
    return jnp.stack([first, second])

  matrix = jax.vmap(equations)(source, target).reshape(8, 8)
  entries = jnp.linalg.solve(matrix, target.reshape(8))
  return jnp.append(entries, 1.0).reshape(3, 3)


def _sample(clip: jax.Array, places: jax.Array) -> jax.Array:
  """Bilinear levels of `[T, H, W, C]` at places `[H, W, 2]` in pixels."""
  most = jnp.array(clip.shape[1:3]) - 1
  places = jnp.clip(places, 0, most)
  low = jnp.clip(jnp.floor(places), 0, most - 1)
  down, right = jnp.moveaxis(places - low, -1, 0)[..., None]
  y, x = jnp.moveaxis(low.astype(jnp.int32), -1, 0)
  above = clip[:, y, x] * (1 - right) + clip[:, y, x + 1] * right
  below = clip[:, y + 1, x] * (1 - right) + clip[:, y + 1, x + 1] * right
  return above * (1 - down) + below * down


def _random_color(rng: jax.Array, x: jax.Array, color: float) -> jax.Array:
  """One 3x3 color matrix and one offset per clip of `[B, T, H, W, C]`."""
  batch = x.shape[0]
  rng_factor, rng_share, rng_order = jax.random.split(rng, 3)
  brightness, contrast, saturation = jax.random.uniform(
    rng_factor, (3, batch, 1, 1), minval=1 - color, maxval=1 + color
  )
  order = jax.random.randint(rng_order, (batch,), 0, len(_PERMUTATIONS))
  permuted = jax.random.uniform(rng_share, (batch,)) < color
  order = jnp.where(permuted, order, 0)
  gray = jnp.broadcast_to(jnp.asarray(_GRAY), (3, 3))
  matrix = saturation * jnp.eye(3) + (1 - saturation) * gray
  matrix = matrix @ jnp.asarray(_PERMUTATIONS)[order]
  mean = jnp.einsum("bdc,bc,d->b", matrix, x.mean((1, 2, 3)), jnp.array(_GRAY))
  offset = brightness[:, 0, 0] * (1 - contrast[:, 0, 0]) * mean
  x = jnp.einsum("bthwc,bdc->bthwd", x, brightness * contrast * matrix)
  return jnp.clip(x + offset[:, None, None, None, None], 0, 255)


def _linear_matrix(start: jax.Array, side: jax.Array, size: int) -> jax.Array:
  """`[B, size, size]` bilinear weights of stretched intervals of an axis.

  They begin at `start` `[B]` and are `side` `[B]` long, shares of the axis.
  """
  centers = (jnp.arange(size) + 0.5) / size
  places = (start[:, None] + side[:, None] * centers) * size - 0.5
  places = jnp.clip(places, 0, size - 1)
  distance = jnp.abs(places[:, :, None] - jnp.arange(size))
  return jnp.maximum(1 - distance, 0)


def _crop_matrix(start, side, old: int, size: int) -> jax.Array:
  """`[B, S, old]` bicubic weights of boxes along one axis of `old` pixels.

  They begin at the pixels `start` `[B]` and have `side` `[B]` of them.
  """
  # Of every side there can be: what XLA computes may differ in the last bit.
  tables = [images.bicubic_taps(n, size) for n in range(1, old + 1)]
  index, weights = (jnp.asarray(np.stack(x)) for x in zip(*tables, strict=True))
  place = start[:, None, None] + index[side - 1]
  weights = weights[side - 1]
  hit = place[..., None] == jnp.arange(old)
  return jnp.where(hit, weights[..., None], 0).sum(2)

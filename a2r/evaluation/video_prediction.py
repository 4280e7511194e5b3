"""Measures how well a video model foresees held-out windows, by horizon.

It is compared with copying the last picture, which is hard to beat where
little moves: so the error over the pixels that change is reported too.

Letters: N windows, T predicted frames, H W picture, A numbers in an action.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.core import batching, checks
from a2r.evaluation import tables, video_metrics
from a2r.models.fitvid import fitvid

# A pixel has changed if one of its colors differs by more from now.
MOVED = 0.05
_CHUNK = 64


class Result(NamedTuple):
  """Figures of a model and of copying.

  Attributes:
    horizons: `[T]` control steps ahead.
    model: metric to `[T]`: 'psnr' and 'ssim', means over windows, and
      'psnr_moved', over all changed pixels at once.
    copy_last: the same of the last true picture, repeated.
    moved: `[T]` share of pixels that have changed.
    window_psnr: `[N]` of each window, the mean over T.
  """

  horizons: np.ndarray
  model: dict[str, np.ndarray]
  copy_last: dict[str, np.ndarray]
  moved: np.ndarray
  window_psnr: np.ndarray


def make_predict_fn(
  config: fitvid.Config, latent: str = "mean"
) -> Callable[..., np.ndarray]:
  """Returns `predict_fn(variables, frames, actions)`, compiled once.

  Args:
    config: of the model.
    latent: the prior's 'mean' or a 'sample' of it, always the same one.

  Returns:
    The function: uint8 frames `[N, num_past + T, H, W, 3]`, of which the first
    `num_past` are looked at, and actions `[N, num_past + T - 1, A]` to the
    predicted frames `[N, T, H, W, 3]` in [0, 1].

  Raises:
    ValueError: an unknown `latent`.
  """
  checks.one_of("latent", latent, ("mean", "sample"))
  model = fitvid.FitVid(config)
  num_past = config.num_past

  @jax.jit
  def predict(variables, frames, actions, rng):
    early, late = jnp.split(actions, [num_past - 1], axis=1)
    noise = [None, None]
    if latent == "sample":
      shape = *actions.shape[:2], config.latent_size
      drawn = jax.random.normal(rng, shape)
      noise = jnp.split(drawn, [num_past - 1], axis=1)
    video = frames.astype(jnp.float32) / 255.0
    context = model.apply(variables, video, early, noise[0], method="start")
    return fitvid.predict(model, variables, context, late, noise[1])

  def predict_fn(variables, frames, actions):
    def predict_chunk(rows):
      at = rows.clip(max=len(frames) - 1)
      rng = jax.random.key(int(rows[0]))
      return predict(variables, frames[at][:, :num_past], actions[at], rng)

    # Whole chunks: one program for any number of windows.
    rows = np.arange(-(-len(frames) // _CHUNK) * _CHUNK)
    return batching.map_chunks(predict_chunk, _CHUNK, rows)[: len(frames)]

  return predict_fn


def evaluate(
  config: fitvid.Config,
  predict_fn: Callable[..., np.ndarray],
  variables: Any,
  batch: Mapping[str, np.ndarray],
) -> Result:
  """Returns the figures of predictions, compared with the truth.

  Args:
    config: of the model.
    predict_fn: from `make_predict_fn`.
    variables: of the model.
    batch: windows: `frames` uint8 `[N, num_past + T, H, W, 3]` and `actions`.
  """
  frames = batch["frames"]
  predicted = predict_fn(variables, frames, batch["actions"])
  past, future = np.split(frames, [config.num_past], axis=1)
  sums = batching.map_chunks(
    lambda rows: _measure(*rows), _CHUNK, (past[:, -1:], future, predicted)
  )
  num_moved = sums.pop("num_moved").sum(axis=0, dtype=np.float64)
  figures = {}
  for name, part in sums.items():
    error = part["error"].sum(axis=0, dtype=np.float64)
    psnr_moved = video_metrics.mse_to_psnr(error / num_moved.clip(min=1.0))
    figures[name] = {
      "psnr": part["psnr"].mean(axis=0, dtype=np.float64),
      "ssim": part["ssim"].mean(axis=0, dtype=np.float64),
      "psnr_moved": np.asarray(psnr_moved),
    }
  return Result(
    horizons=config.stride * np.arange(1, predicted.shape[1] + 1),
    moved=num_moved / (len(frames) * np.prod(frames.shape[2:4])),
    window_psnr=sums["model"]["psnr"].mean(axis=1),
    **figures,
  )


@jax.jit
def _measure(last, future, predicted):
  """Figures `[N, T]` of both predictions; `error` is summed over what moved."""
  last, future = (x.astype(jnp.float32) / 255.0 for x in (last, future))
  moved = jnp.abs(future - last).max(axis=-1) > MOVED

  def measure(frames):
    error = jnp.square(frames - future).mean(axis=-1)
    return {
      "psnr": video_metrics.psnr(frames, future),
      "ssim": video_metrics.ssim(frames, future),
      "error": (error * moved).sum(axis=(-2, -1)),
    }

  return {
    "model": measure(predicted),
    "copy_last": measure(jnp.broadcast_to(last, future.shape)),
    "num_moved": moved.sum(axis=(-2, -1)),
  }


def table(result: Result) -> tables.Table:
  """Returns the figures, a row per horizon."""
  header = ["steps", "moved"]
  columns = [result.horizons, [f"{moved:.1%}" for moved in result.moved]]
  for name, digits in {"psnr": 2, "ssim": 3, "psnr_moved": 2}.items():
    for title, part in ((name, result.model), ("copy", result.copy_last)):
      header.append(title)
      columns.append([f"{value:.{digits}f}" for value in part[name]])
  return tables.Table("", header, list(map(list, zip(*columns, strict=True))))


def typical(result: Result, num: int) -> np.ndarray:
  """Returns windows `[num]`, evenly from the worst to the best predicted."""
  order = np.argsort(result.window_psnr, kind="stable")
  places = (np.arange(num) + 0.5) / num * len(order)
  return order[places.astype(int)]

"""How well a video model foresees held-out windows, horizon by horizon.

It is compared with copying the last picture, which is hard to beat where
little moves: so the error over the pixels that change is told too.

Letters: N windows, T predicted frames, H W picture, A numbers in an action.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from a2r.evaluation import video_metrics
from a2r.models.fitvid import fitvid

# A pixel has changed if one of its colors differs by more from now.
MOVED = 0.05
_CHUNK = 64
METRICS = ("psnr", "ssim", "psnr_moved")


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
  if latent not in ("mean", "sample"):
    raise ValueError(f"unknown latent {latent!r}; known: mean, sample")
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
    parts = []
    for start in range(0, len(frames), _CHUNK):
      rows = np.arange(start, start + _CHUNK).clip(max=len(frames) - 1)
      rng = jax.random.key(start)
      past = frames[rows][:, :num_past]
      part = predict(variables, past, actions[rows], rng)
      parts.append(np.asarray(part)[: len(frames) - start])
    return np.concatenate(parts)

  return predict_fn


def evaluate(
  config: fitvid.Config,
  predict_fn: Callable[..., np.ndarray],
  variables: Any,
  batch: Mapping[str, np.ndarray],
) -> Result:
  """Compares predictions with the truth.

  Args:
    config: of the model.
    predict_fn: from `make_predict_fn`.
    variables: of the model.
    batch: windows: `frames` uint8 `[N, num_past + T, H, W, 3]` and `actions`.
  """
  frames = batch["frames"]
  predicted = predict_fn(variables, frames, batch["actions"])
  sums = []
  for start in range(0, len(frames), _CHUNK):
    # The last window fills the last chunk, and counts nothing there.
    rows = np.arange(start, start + _CHUNK)
    counts = np.float32(rows < len(frames))
    rows = rows.clip(max=len(frames) - 1)
    past, future = np.split(frames[rows], [config.num_past], axis=1)
    sums.append(_sums(past[:, -1:], future, predicted[rows], counts))
  parts = jax.tree.map(lambda *x: np.stack(x), *sums)
  per_window = parts.pop("window_psnr").reshape(-1)[: len(frames)]
  totals = jax.tree.map(lambda x: np.float64(x).sum(axis=0), parts)
  changed = totals.pop("changed")
  pixels = len(frames) * np.prod(frames.shape[2:4])
  figures = {
    name: {
      "psnr": part["psnr"] / len(frames),
      "ssim": part["ssim"] / len(frames),
      "psnr_moved": np.asarray(
        video_metrics.mse_to_psnr(part["error"] / np.maximum(changed, 1.0))
      ),
    }
    for name, part in totals.items()
  }
  return Result(
    horizons=config.stride * np.arange(1, predicted.shape[1] + 1),
    moved=changed / pixels,
    window_psnr=per_window,
    **figures,
  )


@jax.jit
def _sums(last, future, predicted, counts):
  """Sums over windows, `[T]` each; `counts` `[N]` says which are counted."""
  last, future = (x.astype(jnp.float32) / 255.0 for x in (last, future))
  moved = jnp.abs(future - last).max(axis=-1) > MOVED
  weight = counts[:, None]

  def judge(frames):
    error = jnp.square(frames - future).mean(axis=-1)
    psnr = video_metrics.psnr(frames, future)
    sums = {
      "psnr": psnr,
      "ssim": video_metrics.ssim(frames, future),
      "error": (error * moved).sum(axis=(-2, -1)),
    }
    return psnr, {name: (x * weight).sum(axis=0) for name, x in sums.items()}

  psnr, model = judge(predicted)
  _, copy_last = judge(jnp.broadcast_to(last, future.shape))
  return {
    "model": model,
    "copy_last": copy_last,
    "changed": (moved.sum(axis=(-2, -1)) * weight).sum(axis=0),
    "window_psnr": psnr.mean(axis=1),
  }


def table(result: Result) -> str:
  """The figures as text, a line per horizon."""
  head = f"{'steps':>5}  {'moved':>6}" + "".join(
    f"  {name:>10}  {'copy':>6}" for name in METRICS
  )
  lines = [head]
  for t, steps in enumerate(result.horizons):
    line = f"{steps:>5}  {result.moved[t]:>6.1%}"
    for name in METRICS:
      digits = 3 if name == "ssim" else 2
      line += f"  {result.model[name][t]:>10.{digits}f}"
      line += f"  {result.copy_last[name][t]:>6.{digits}f}"
    lines.append(line)
  return "\n".join(lines)


def typical(result: Result, num: int) -> np.ndarray:
  """Windows `[num]` spread evenly from the worst to the best predicted."""
  order = np.argsort(result.window_psnr, kind="stable")
  places = (np.arange(num) + 0.5) / num * len(order)
  return order[places.astype(int)]

"""A trained video model as dynamics: what actions lead to, drawn.

FitVid (`a2r.models.fitvid.fitvid`) sees the picture one tick ago, the actions
since then, and the picture now. Its clock ticks every `stride` control steps,
and it feeds every picture back to draw the next one: all pictures up to the
last one asked for are drawn, and that is the last one of the horizon, which the
clip of a reward always ends with. A picture in between two ticks is that of the
nearer.

Letters as in `a2r.planning.base`, K = H / stride ticks.
"""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from a2r.core import checkpoint
from a2r.models.fitvid import fitvid
from a2r.planning import base
from a2r.sim.tabletop import physics

LATENTS = ("mean", "sample")


def load(
  workdir: str | pathlib.Path,
  which: str = "best",
  *,
  latent: str = "mean",
  environment: str | None = None,
) -> base.Dynamics:
  """The video model of a run folder as dynamics.

  Args:
    workdir: run folder of `launch.train` with configs/fitvid.py.
    which: 'best' or 'newest' checkpoint.
    latent: what is taken of the prior, see `make_dynamics`.
    environment: where it is to be used, or None to not ask.

  Raises:
    FileNotFoundError: no such run, or nothing saved yet.
    ValueError: another kind of run, or a model of other environments.
  """
  saved = checkpoint.load(
    workdir, which=which, parts=("params", "extra"), items=("config",)
  )
  settings = saved.items["config"]
  if "stride" not in settings["model"]:
    raise ValueError(f"{workdir} is no run of a video model")
  trained = settings["data"]["environment"]
  if environment is not None and environment not in trained.split(","):
    raise ValueError(
      f"the video model in {workdir} was trained in {trained}, not in "
      f"{environment}"
    )
  config = fitvid.Config(**settings["model"])
  variables = {"params": saved.parts["params"], **saved.parts["extra"]}
  return make_dynamics(config, variables, latent=latent)


def make_dynamics(
  config: fitvid.Config, variables: Any, *, latent: str = "mean"
) -> base.Dynamics:
  """A video model as dynamics.

  Args:
    config: its sizes.
    variables: its `params` and `batch_stats`.
    latent: what is taken of the prior: its 'mean', so that equal actions lead
      to equal pictures, or a 'sample' for every row.

  Raises:
    ValueError: an unknown `latent`, or a model of another context than two
      pictures.
  """
  if latent not in LATENTS:
    raise ValueError(f"unknown latent {latent!r}; known: {', '.join(LATENTS)}")
  if config.num_past != 2:
    raise ValueError(f"expected num_past=2, got {config.num_past}")
  return base.Dynamics(
    name="fitvid",
    params=variables,
    predict_fn=_Predict(config, latent == "sample"),
    image_size=config.image_size,
    stride=config.stride,
    has_states=False,
    prepare_fn=_Prepare(config),
  )


@dataclasses.dataclass(frozen=True)
class _Prepare:
  """Goes through the context: `(context, picture now)` of every environment."""

  config: fitvid.Config

  def __call__(self, params, state):
    model = fitvid.FitVid(self.config)
    past = fitvid.group(physics.scale_actions(state.past), self.config.stride)
    video = state.context.astype(jnp.float32) / 255.0
    context = model.apply(params, video, past, method="start")
    return context, state.context[:, -1]


@dataclasses.dataclass(frozen=True)
class _Predict:
  """Draws what actions lead to."""

  config: fitvid.Config
  samples: bool  # Draws the latents, instead of the prior's means.

  def __call__(self, params, rows, actions, timing, keys) -> base.Future:
    stride = self.config.stride
    if actions.shape[1] % stride:
      raise ValueError(
        f"a horizon of {actions.shape[1]} steps is no multiple of the video "
        f"model's stride of {stride}"
      )
    context, now = rows.context
    ticks = fitvid.group(physics.scale_actions(actions), stride)
    noise = None
    if self.samples:
      size = ticks.shape[1], self.config.latent_size
      noise = jax.vmap(lambda key: jax.random.normal(key, size))(keys)
    frames = fitvid.predict(
      fitvid.FitVid(self.config), params, context, ticks, noise
    )
    frames = jnp.round(frames * 255.0).astype(jnp.uint8)
    frames = jnp.concatenate([now[:, None], frames], axis=1)
    nearest = (timing.offsets + stride // 2) // stride
    return base.Future(states=None, frames=frames[:, nearest])

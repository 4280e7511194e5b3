"""The methods by name, and a scorer from any run folder."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from a2r import reward
from a2r.models import artifact, scorer, trained

Loader = Callable[[pathlib.Path, str], scorer.Scorer]


def _load_adapt2reward(folder: pathlib.Path, checkpoint: str) -> scorer.Scorer:
  """A run's or an exported reward, in the form it was given."""
  model = reward.load(folder, checkpoint)
  module = trained.make_model(model.trained, str(folder))
  return scorer.Scorer(
    name="adapt2reward",
    params={
      "model": model.trained.params,
      "temperature": jnp.float32(model.trained.temperature),
    },
    encode_fn=scorer.EncodeVideo(module),
    score_fn=scorer.FormScore(model.form),
    context_fn=model.texts,
    num_frames=model.num_frames,
    image_size=module.config.image_size,
  )


METHODS: Mapping[str, Loader] = {"adapt2reward": _load_adapt2reward}


def load_scorer(
  folder: str | pathlib.Path, checkpoint: str = "best"
) -> scorer.Scorer:
  """The scorer of a run that `launch.train` wrote, of any method.

  Args:
    folder: the run folder; an exported reward will do too.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, or nothing saved in it yet.
    ValueError: the files are broken, or of a method that is not known.
  """
  folder = pathlib.Path(folder).expanduser()
  method = "adapt2reward"
  if not artifact.is_one(folder):
    method = method_of(trained.read_settings(folder))
  if method not in METHODS:
    raise ValueError(
      f"{folder} is of the method {method!r}; known: {', '.join(METHODS)}"
    )
  return METHODS[method](folder, checkpoint)


def method_of(settings: Mapping[str, Any]) -> str:
  """The method in a run's settings; those without one are Adapt2Reward's."""
  return settings.get("method", "adapt2reward")

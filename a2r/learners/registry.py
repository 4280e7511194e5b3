"""The methods by name, and a scorer from any run folder."""

import pathlib
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np

from a2r import reward
from a2r.learners import concept2robot, dvd, encoding, liv, run_files
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


def _load_concept2robot(folder, checkpoint):
  run = run_files.read(folder, checkpoint)
  return concept2robot.make_scorer(
    run.config,
    run.params,
    classes=run.spec["classes"],
    readings=run.spec["readings"],
    temperature=run.settings["loss"]["temperature"],
    score=run.settings["concept2robot"]["score"],
  )


def _load_dvd(folder, checkpoint):
  run = run_files.read(folder, checkpoint, with_extra=True)
  with np.load(folder / run_files.DEMOS_FILE) as demos:
    return dvd.make_scorer(
      run.config,
      run.params,
      run.extra,
      demos=demos["frames"],
      labels=demos["labels"],
      readings=run.spec["readings"],
    )


def _load_liv(folder, checkpoint):
  run = run_files.read(folder, checkpoint)
  return liv.make_scorer(run.config, run.params, _text_fn(run))


def _load_triplet(folder, checkpoint):
  run = run_files.read(folder, checkpoint)
  model = encoding.plain_model(run.config)
  return scorer.cosine("triplet", model, run.params, _text_fn(run))


def _text_fn(run: run_files.RunFiles):
  return run_files.make_text_fn(
    run.config, run.params["backbone"], run.tokenizer, run.spec["instructions"]
  )


METHODS: Mapping[str, Loader] = {
  "adapt2reward": _load_adapt2reward,
  "concept2robot": _load_concept2robot,
  "dvd": _load_dvd,
  "liv": _load_liv,
  "triplet": _load_triplet,
}


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
  method = find_method(folder)
  if method not in METHODS:
    raise ValueError(
      f"{folder} is of the method {method!r}; known: {', '.join(METHODS)}"
    )
  return METHODS[method](folder, checkpoint)


def find_method(folder: pathlib.Path) -> str:
  """The method of a run folder; an exported reward is Adapt2Reward's.

  Raises:
    FileNotFoundError: no such run.
    ValueError: its settings are broken.
  """
  if artifact.is_one(folder):
    return "adapt2reward"
  return trained.method_of(trained.read_file(folder, "config.json"))

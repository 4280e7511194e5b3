"""What can be told to be wrong with a reproduction before anything is made."""

import json

from a2r.core import files
from a2r.runs import initial, reproduction, run_folder
from a2r.runs.sources import user

# May differ between a run that is there and the settings.
_FREE = ("data.dir", "train.log_every", "train.checkpoint_every")


def check(experiment: reproduction.Experiment):
  """Fails where runs cannot start, or those that are there are others.

  Raises:
    ValueError: no human clips are named, the first weights do not fit, no
      given video model was trained in an environment, or a run has other
      settings; says which.
    FileNotFoundError: human clips or first weights that are not there.
  """
  for environment in experiment.environments():
    if experiment.world.fitvid:
      experiment.world.find_video_model(environment)
  for run in experiment.runs():
    if run.method in reproduction.TRAINED:
      config = experiment.config(run)
      _check_human(config.data.human)
      initial.check(config.model)
      _check_same(experiment.run_folder(run.name), config)


def _check_human(human):
  """Fails where a run's human clips are not there."""
  if human.source != "ssv2":
    return
  if not human.path:
    raise ValueError("--size=paper needs --human_path=..., SS-V2's folder")
  user.find_path(human, "human")


def _check_same(folder, config):
  """Fails where a run has other settings; those that one lacks do not count."""
  path = folder / "config.json"
  if not path.exists():
    return
  old = run_folder.flat(files.read_json(path))
  new = run_folder.flat(json.loads(json.dumps(config.to_dict())))
  differ = [
    f"{key} was {old[key]!r}, now {new[key]!r}"
    for key in sorted(old.keys() & new.keys())
    if old[key] != new[key] and key not in _FREE
  ]
  if differ:
    raise ValueError(
      f"{folder} is a run with other settings ({'; '.join(differ)}): choose "
      "another --workdir, or delete it"
    )

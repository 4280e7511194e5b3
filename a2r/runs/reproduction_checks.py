"""What can be told to be wrong with a reproduction before anything is made."""

from a2r.runs import reproduction, run_folder, weights
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
      weights.check(weights.read_model(config.model))
      run_folder.check_config(
        experiment.run_folder(run.name), config.to_dict(), _FREE
      )


def _check_human(human):
  """Fails where a run's human clips are not there."""
  if human.source != "ssv2":
    return
  if not human.path:
    raise ValueError("--size=paper needs --human_path=..., SS-V2's folder")
  user.find_path(human, "human")

"""A trained reward before it is a program: what it is made of, and a run's."""

import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from a2r.core import text as text_lib
from a2r.core import trees
from a2r.models import encoders, reward
from a2r.models.singularity import singularity

SPEC_FILE = "reward.json"
REPORT_FILE = "report.json"
_PROMPTS = (
  "num_failure_prompts",
  "failure_prompt_length",
  "domain_prompt_length",
)
# The folders of a path that is absolute, a home's, or begins with a dot.
_FOLDERS = re.compile(
  r"(^|[\s='\"])(?:~|\.{1,2})?/(?:[^\s'\"]*/)?(?=[^\s'\"/])"
)


class Trained(NamedTuple):
  """All that a trained reward is; plain values but for the first two.

  Attributes:
    params: of the module that `make_model` makes, float32.
    tokenizer: of its texts.
    model: `backbone` (the fields of `singularity.Config`) and the number and
      lengths of the prompts.
    instructions: the known ones, the trained ones first.
    num_trained: how many have robot data.
    form: of the reward that it returns.
    temperature: that of training.
    failure_prompts: whether the failure prompts were trained.
    record: what the run was and reached (see `make_record`).
  """

  params: Any
  tokenizer: text_lib.Tokenizer
  model: dict[str, Any]
  instructions: list[str]
  num_trained: int
  form: str
  temperature: float
  failure_prompts: bool
  record: dict[str, Any]


def make_model(trained: Trained, where: str) -> reward.Adapt2Reward:
  """The module.

  Args:
    trained: of which the sizes are read.
    where: where they come from, for the error.

  Raises:
    ValueError: a size is missing, or not one that this code knows.
  """
  try:
    backbone = singularity.Config(**trained.model["backbone"])
    prompts = {key: trained.model[key] for key in _PROMPTS}
  except (KeyError, TypeError) as error:
    raise ValueError(
      f"{where}: the model's sizes are not those of this code: {error}"
    ) from error
  return reward.Adapt2Reward(backbone, trained.num_trained, **prompts)


def fit(trained: Trained, where: str) -> Trained:
  """`trained` with its parameters, nested dicts, as the module has them.

  Raises:
    ValueError: they are not the module's; says which.
  """
  like = encoders.params_like(make_model(trained, where))
  return trained._replace(params=trees.fit(like, trained.params, where))


def read_run(folder: pathlib.Path, which: str) -> Trained:
  """What a run folder, which `launch.train` wrote, holds.

  Args:
    folder: the run folder.
    which: the weights, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such run, or nothing saved in it yet.
    ValueError: the run's files do not fit each other, or are another method's.
  """
  # Orbax takes a second to import, and an exported reward does without.
  from a2r.core import checkpoint

  spec = read_file(folder, SPEC_FILE)
  settings = read_file(folder, "config.json")
  method = method_of(settings)
  if method != "adapt2reward":
    raise ValueError(
      f"{folder} is a run of the method {method!r}, which is no reward with "
      "forms: load it with a2r.learners.registry.load_scorer"
    )
  stored = checkpoint.load(folder, which=which)
  report = None
  # The figures are those of the best weights.
  if which == "best" and (folder / REPORT_FILE).is_file():
    report = read_file(folder, REPORT_FILE)
  model, loss = settings["model"], settings["loss"]
  trained = Trained(
    params=stored.parts["params"],
    tokenizer=text_lib.Tokenizer.load(folder / "tokenizer.json"),
    model={key: model[key] for key in ("backbone", *_PROMPTS)},
    instructions=spec["instructions"],
    num_trained=spec["num_trained"],
    form=spec["form"],
    temperature=loss["temperature"],
    failure_prompts=spec.get("failure_prompts", loss["weights"]["fvlc"] > 0),
    record=make_record(settings, report, step=stored.step),
  )
  return fit(trained, str(folder))


def method_of(settings: Mapping[str, Any]) -> str:
  """The method in a run's settings; those without one are Adapt2Reward's."""
  return settings.get("method", "adapt2reward")


def make_record(
  settings: Mapping[str, Any], report: Mapping[str, Any] | None, *, step: int
) -> dict[str, Any]:
  """What is kept of a run's config.json and report.json.

  Left out are dates, machines, names of clips and folders of the machine.

  Args:
    settings: config.json.
    report: report.json; not used where it was made with other settings.
    step: of the weights.
  """
  if report is None or report["config"] != settings:
    report = {}
  figures = dict(report["report"]) if report else None
  if figures:
    figures.pop("clips", None)
    form = figures["form"]
    figures["rows"] = [r for r in figures["rows"] if r["form"] == form]
  settings = dict(settings) | {
    "data": {k: v for k, v in settings["data"].items() if k != "dir"}
  }
  kept = ("backbone", "command", "commit", "versions")
  return _without_folders(
    {"settings": settings, "step": step, "figures": figures}
    | {key: report.get(key) for key in kept}
  )


def read_file(folder: pathlib.Path, name: str) -> dict[str, Any]:
  """What the JSON file `name` of a run folder holds.

  Raises:
    FileNotFoundError: no such run, or it has no such file.
    ValueError: the file is broken.
  """
  path = folder / name
  if not path.is_file():
    found = folder.parent.glob(f"*/{SPEC_FILE}")
    runs = sorted(str(path.parent) for path in found)
    why = f"has no {name}" if folder.is_dir() else "is not there"
    raise FileNotFoundError(
      f"no trained run: {folder} {why}; "
      + (f"runs: {', '.join(runs)}" if runs else "train one: launch.train")
    )
  return read_json(path)


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """The object that a JSON file holds.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it is not JSON, or no object.
  """
  try:
    value = json.loads(path.read_text(encoding="utf-8"))
  except ValueError as error:
    raise ValueError(f"{path} is not JSON: {error}") from error
  if not isinstance(value, dict):
    raise ValueError(f"{path} is not a JSON object, but {str(value)[:40]!r}")
  return value


def _without_folders(value: Any) -> Any:
  """Plain values in which a path of the machine is its last name alone."""
  if isinstance(value, Mapping):
    return {key: _without_folders(one) for key, one in value.items()}
  if isinstance(value, list | tuple):
    return [_without_folders(one) for one in value]
  return _FOLDERS.sub(r"\1", value) if isinstance(value, str) else value

"""Trained models on disk: run folders, and rewards exported to be shared.

A run folder is what `launch.train` wrote. An exported reward is plain files:

  model.safetensors  the parameters, named by their path in the tree
  config.json        sizes, instructions, and what the run was and reached
  tokenizer.json     the vocabulary
  familiarity.safetensors  training clips' features (`models/familiarity.py`)
  README.md          a model card (`models/card.py`)
  digests.json       the files' digests (`core/digests.py`), checked when read

Reading one needs neither Orbax nor TensorFlow, and runs no code of others.
"""

import contextlib
import dataclasses
import importlib.metadata
import math
import pathlib
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from a2r.core import checks, compilation, digests, files, tensors, trees
from a2r.core import text as text_lib
from a2r.models import adapt2reward as net
from a2r.models import card
from a2r.models.singularity import singularity

SPEC_FILE = "reward.json"
REPORT_FILE = "report.json"
FORMAT = "adapt2reward"
VERSION = 1
DTYPES = ("float32", "bfloat16")
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
FAMILIARITY_FILE = "familiarity.safetensors"
CARD_FILE = "README.md"
_FILES = (WEIGHTS_FILE, CONFIG_FILE, TOKENIZER_FILE)
_OTHERS = (CARD_FILE, FAMILIARITY_FILE, digests.FILE)
_TEMPERATURES = (1e-4, 1e4)  # Beyond, float32 has no softmax of similarities.
_KEPT = (".git", ".gitattributes")  # Of a repository cloned from the Hub.
_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "safetensors", "tokenizers")
PROMPTS = (
  "num_failure_prompts",
  "failure_prompt_length",
  "domain_prompt_length",
)
# The folders of a path that is absolute, a home's, or begins with a dot.
_FOLDERS = re.compile(
  r"(^|[\s='\"])(?:~|\.{1,2})?/(?:[^\s'\"]*/)?(?=[^\s'\"/])"
)


class Run(NamedTuple):
  """A run of any method: what its folder holds, or what it is in training.

  Attributes:
    folder: for files of the method's own.
    config: of the backbone.
    settings: config.json.
    spec: reward.json.
    tokenizer: of its texts.
    params: of the checkpoint.
    extra: of the checkpoint; None where it was not asked for.
    step: of the checkpoint.
  """

  folder: pathlib.Path
  config: singularity.Config
  settings: Mapping[str, Any]
  spec: Mapping[str, Any]
  tokenizer: text_lib.Tokenizer
  params: Any = None
  extra: Any = None
  step: int = 0


class SavedReward(NamedTuple):
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
    calibration: scale and offset of its probability of success (see
      `Reward.assess`); None where there were no clips to find them on.
    familiarity: what `familiarity.fit` returned; None if it is not on record.
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
  calibration: Sequence[float] | None = None
  familiarity: Mapping[str, np.ndarray] | None = None


# What an exported reward's config.json has: all but arrays and tokenizer.
_OPTIONAL = ("calibration",)
_VALUES = (*SavedReward._fields[2:-2], *_OPTIONAL)


def read_run(
  folder: pathlib.Path, which: str, *, with_extra: bool = False
) -> Run:
  """Reads a run folder of any method.

  Args:
    folder: what `launch.train` wrote.
    which: the weights, 'best' or 'newest'.
    with_extra: whether to read what the method keeps beside its parameters.

  Raises:
    FileNotFoundError, ValueError: see `read_file`; or nothing is saved yet.
  """
  compilation.check_process()
  # Orbax takes a second to import, and an exported reward does without.
  from a2r.core import checkpoint

  if not (folder / digests.FILE).is_file() and folder.is_dir():
    digests.note_unchecked(folder)
  settings = read_file(folder, CONFIG_FILE)
  spec = read_file(folder, SPEC_FILE)
  parts = ("params", "extra") if with_extra else ("params",)
  stored = checkpoint.load(folder, which=which, parts=parts)
  with _complete(folder):
    backbone = dict(settings["model"]["backbone"])
  return Run(
    folder=folder,
    config=_make_config(backbone, str(folder)),
    settings=settings,
    spec=spec,
    tokenizer=text_lib.Tokenizer.load(folder / TOKENIZER_FILE),
    **stored.parts,
    step=stored.step,
  )


def prompt_sizes(run: Run) -> dict[str, int]:
  """Returns the number and the lengths of a run's prompts.

  Those of a run that trained nothing are 0, whatever was asked for.
  """
  return {k: run.spec.get(k, run.settings["model"][k]) for k in PROMPTS}


def find_method(folder: pathlib.Path) -> str:
  """Returns the method of a run folder; an exported reward is Adapt2Reward's.

  Raises:
    FileNotFoundError, ValueError: see `read_file`.
  """
  if is_exported(folder):
    return "adapt2reward"
  return read_file(folder, CONFIG_FILE).get("method", "adapt2reward")


def load(folder: str | pathlib.Path, which: str = "best") -> SavedReward:
  """Reads the reward that a run trained, or that was exported from one.

  Args:
    folder: what `launch.train` or `write` wrote.
    which: the weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, nothing saved in it yet, or a file is
      missing.
    ValueError: the files are damaged, do not fit each other, hold values
      that no reward has, or are another method's.
  """
  compilation.check_precision()
  folder = checks.path(folder)
  exported = is_exported(folder)
  saved = _read_exported(folder) if exported else _read_trained(folder, which)
  if not saved.instructions:
    raise ValueError(
      f"{folder}: the instructions are '[]', expected a list of texts"
    )
  return fit(saved, folder)


def fit(saved: SavedReward, folder: pathlib.Path) -> SavedReward:
  """Returns a reward as it was read, its parameters in the module's shape.

  Args:
    saved: what was read.
    folder: where from, for what is told.

  Raises:
    ValueError: it has values that no reward has, or parts that do not fit.
  """
  temperature, instructions = saved.temperature, saved.instructions
  low, high = _TEMPERATURES
  if not _is_number(temperature) or not low <= temperature <= high:
    raise ValueError(
      f"{folder}: the temperature is {temperature!r}, expected a number from "
      f"{low} to {high}"
    )
  if not isinstance(instructions, list) or not all(
    isinstance(text, str) for text in instructions
  ):
    raise ValueError(
      f"{folder}: the instructions are {str(instructions)[:60]!r}, expected a "
      "list of texts"
    )
  checks.one_of(f"form in {folder}:", saved.form, list(net.FORMS))
  if not isinstance(saved.failure_prompts, bool):
    raise ValueError(
      f"{folder}: failure_prompts is {saved.failure_prompts!r}, expected true "
      "or false"
    )
  model = make_model(saved, str(folder))
  _check_sizes(saved, folder / CONFIG_FILE)
  try:
    checks.clip_sizes(model.config.num_frames, model.config.image_size)
  except ValueError as error:
    raise ValueError(f"{folder / CONFIG_FILE}: {error}") from error
  if saved.tokenizer.num_ids > model.config.vocab_size:
    raise ValueError(
      f"{folder / TOKENIZER_FILE} has {saved.tokenizer.num_ids} places, the "
      f"model {model.config.vocab_size}"
    )
  shapes = net.params_like(model)
  return saved._replace(params=trees.fit(shapes, saved.params, str(folder)))


def _check_sizes(saved: SavedReward, where: pathlib.Path) -> None:
  """Fails, before memory is asked for, where weights are too few for a size."""
  arrays = jax.tree.leaves(saved.params)
  num_values = sum(np.size(array) for array in arrays)
  sizes = {**saved.model, **saved.model["backbone"]}
  sizes |= {"num_trained": saved.num_trained}
  for name in (*PROMPTS, "num_trained"):
    if type(sizes[name]) is not int or sizes[name] < 0:
      raise ValueError(f"{where}: {name} is {sizes[name]!r}, expected a count")
  for name, size in sizes.items():
    most = len(arrays) if name.endswith("_layers") else num_values
    if _is_number(size) and size > most:
      raise ValueError(
        f"{where}: {name} is {size}, too large for the {num_values} values in "
        f"{len(arrays)} arrays of its weights"
      )


def _is_like(value: Any, default: Any) -> bool:
  """Whether a value may stand for another one: no count is negative.

  Of several sizes, such as those of layers, none is zero either.
  """
  if isinstance(default, tuple):
    return all(_is_like(item, default[0]) and item for item in value)
  if isinstance(default, float):
    return _is_number(value) and math.isfinite(value)
  return type(value) is type(default) and not (type(value) is int and value < 0)


def _is_number(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


def make_model(
  saved: SavedReward, where: str = "the reward"
) -> net.Adapt2Reward:
  """Returns the module of a reward.

  Raises:
    ValueError: a size is missing or not known; says `where` it comes from.
  """
  try:
    backbone = _make_config(saved.model["backbone"], where)
    prompts = {key: saved.model[key] for key in PROMPTS}
  except (KeyError, TypeError) as e:
    raise ValueError(f"{where}: the sizes of the model lack {e}") from e
  return net.Adapt2Reward(backbone, saved.num_trained, **prompts)


def _make_config(fields: Mapping[str, Any], where: str) -> singularity.Config:
  try:
    config = singularity.Config(**fields)
  except (TypeError, ValueError) as e:
    raise ValueError(f"{where}: sizes that this code does not know: {e}") from e
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    if not _is_like(value, field.default):
      kind = type(field.default).__name__
      raise ValueError(f"{where}: {field.name} is {value!r}, expected a {kind}")
  return config


def _read_trained(folder: pathlib.Path, which: str) -> SavedReward:
  """What a run folder of Adapt2Reward holds."""
  method = find_method(folder)
  if method != "adapt2reward":
    raise ValueError(
      f"{folder} is a run of the method {method!r}, which is no reward with "
      "forms: load it with a2r.learners.registry.load_scorer"
    )
  run = read_run(folder, which)
  report = None
  # The figures are those of the best weights.
  if which == "best" and (folder / REPORT_FILE).is_file():
    report = read_file(folder, REPORT_FILE)
  with _complete(folder):
    model, loss = run.settings["model"], run.settings["loss"]
    weight = loss["weights"]["fvlc"]
    if not _is_number(weight) or not weight >= 0:
      raise ValueError(
        f"{folder}: loss.weights.fvlc is {weight!r}, expected a number from 0"
      )
    return SavedReward(
      params=run.params,
      tokenizer=run.tokenizer,
      model={"backbone": model["backbone"], **prompt_sizes(run)},
      instructions=run.spec["instructions"],
      num_trained=run.spec["num_trained"],
      form=run.spec["form"],
      temperature=loss["temperature"],
      failure_prompts=run.spec.get("failure_prompts", weight > 0),
      record=make_record(run.settings, report, step=run.step),
      calibration=run.spec.get("calibration") if which == "best" else None,
      familiarity=_read_familiarity(folder) if which == "best" else None,
    )


@contextlib.contextmanager
def _complete(folder: pathlib.Path) -> Iterator[None]:
  """Names the folder of a run whose files lack what is looked up inside."""
  try:
    yield
  except AttributeError as e:
    raise ValueError(
      f"{folder}: a part of {CONFIG_FILE} or {SPEC_FILE} is no table"
    ) from e
  except (KeyError, TypeError) as e:
    raise ValueError(
      f"{folder}: {CONFIG_FILE} or {SPEC_FILE} has no, or an odd, {e}"
    ) from e


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
  figures = None
  if report is None or report["config"] != settings:
    report = {}
  else:
    figures = {k: v for k, v in report["report"].items() if k != "clips"}
    form = figures["form"]
    figures["rows"] = [r for r in figures["rows"] if r["form"] == form]
  data = {k: v for k, v in settings["data"].items() if k != "dir"}
  kept = ("backbone", "command", "commit", "versions")
  return _without_folders(
    {"settings": {**settings, "data": data}, "step": step, "figures": figures}
    | {key: report.get(key) for key in kept}
  )


def read_file(folder: pathlib.Path, name: str) -> dict[str, Any]:
  """Returns what the JSON file `name` of a run folder holds.

  Raises:
    FileNotFoundError: no such run, or it has no such file.
    ValueError: the file is broken.
  """
  path = folder / name
  if not path.is_file():
    specs = folder.parent.glob(f"*/{SPEC_FILE}")
    runs = sorted(str(path.parent) for path in specs)
    why = f"has no {name}" if folder.is_dir() else "is not there"
    raise FileNotFoundError(
      f"no trained run: {folder} {why}; "
      + (f"runs: {', '.join(runs)}" if runs else "train one: launch.train")
    )
  return read_json(path)


def read_json(path: pathlib.Path, *, checked: bool = True) -> dict[str, Any]:
  """Returns the object that a JSON file holds.

  Args:
    path: of the file.
    checked: whether it must be as its folder's record has it.

  Raises:
    ValueError: the file is damaged or of another kind; names it.
  """
  value = checks.parse_json(path.read_bytes(), path, dict)
  if checked:
    digests.check(path)
  return value


def _without_folders(value: Any) -> Any:
  """Plain values in which a path of the machine is its last name alone."""
  if isinstance(value, Mapping):
    return {key: _without_folders(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return [_without_folders(item) for item in value]
  return _FOLDERS.sub(r"\1", value) if isinstance(value, str) else value


def is_exported(folder: pathlib.Path) -> bool:
  """Whether a folder looks like what `write` wrote, whole or not."""
  folder = _find(folder)
  if (folder / WEIGHTS_FILE).is_file():
    return True
  try:
    config = read_json(folder / CONFIG_FILE, checked=False)
    return config.get("format") == FORMAT
  except (OSError, ValueError):
    return False


def write(
  folder: str | pathlib.Path, saved: SavedReward, *, dtype: str = "float32"
) -> None:
  """Writes an exported reward, all or nothing; an old one is replaced whole.

  Only what makes it a git repository stays. Where a kill came between moving
  the old one away and the new one in, the next call finds the old one.

  Args:
    folder: its path.
    saved: what goes into it.
    dtype: 'float32', or 'bfloat16' for half the size: scores then differ in the
      third digit.

  Raises:
    ValueError: an unknown dtype.
    FileExistsError: `folder` holds something else.
  """
  checks.one_of("dtype", dtype, DTYPES)
  folder = checks.path(folder).resolve()
  _restore(folder)
  check_free(folder)
  flat = {
    name: np.asarray(leaf).astype(jax.numpy.dtype(dtype))
    for name, leaf in trees.flatten(saved.params).items()
  }
  versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
  config = {
    "format": FORMAT,
    "format_version": VERSION,
    "num_params": int(sum(leaf.size for leaf in flat.values())),
    "dtype": dtype,
    **{key: getattr(saved, key) for key in _VALUES},
    "versions": {"python": platform.python_version()} | versions,
  }
  partial = folder.with_name(f".{folder.name}.partial")
  shutil.rmtree(partial, ignore_errors=True)
  partial.mkdir(parents=True)
  try:
    tensors.save(partial / WEIGHTS_FILE, flat, {"format": FORMAT})
    files.write_json(partial / CONFIG_FILE, config, recorded=True)
    saved.tokenizer.save(partial / TOKENIZER_FILE)
    if saved.familiarity:
      tensors.save(partial / FAMILIARITY_FILE, saved.familiarity)
    files.write_text(partial / CARD_FILE, card.render(config))
    if folder.exists():
      folder.rename(_old(folder))
    partial.rename(folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
    _restore(folder)


def _read_exported(folder: pathlib.Path) -> SavedReward:
  """What `write` wrote; the parameters are float32."""
  folder = _find(folder)
  for name in _FILES:
    if not (folder / name).is_file():
      raise FileNotFoundError(
        f"{folder} has no {name}; an exported reward has {', '.join(_FILES)}"
      )
  if not (folder / digests.FILE).is_file():
    digests.note_unchecked(folder)
  path = folder / CONFIG_FILE
  # What another version wrote is told first.
  config = read_json(path, checked=False)
  kind, version = config.get("format"), config.get("format_version")
  if kind != FORMAT:
    raise ValueError(
      f"{path} is not that of an exported reward: its format is {kind!r}, not "
      f"{FORMAT!r}"
    )
  if version != VERSION:
    raise ValueError(
      f"{path} has format_version {version}, this code reads {VERSION}: "
      "take the version of the code that wrote it, or a newer one"
    )
  missing = set(_VALUES) - set(config) - {*_OPTIONAL}
  if missing:
    raise ValueError(f"{path} lacks {sorted(missing)}")
  digests.check(path)
  flat = tensors.load(folder / WEIGHTS_FILE)
  for name, array in flat.items():
    if array.dtype.name not in DTYPES:
      raise ValueError(
        f"{folder / WEIGHTS_FILE}: {name} is {array.dtype.name}, expected "
        f"{' or '.join(DTYPES)}"
      )
  return SavedReward(
    params=trees.nest(
      {k: v.astype(np.float32) for k, v in flat.items()},
      str(folder / WEIGHTS_FILE),
    ),
    tokenizer=text_lib.Tokenizer.load(folder / TOKENIZER_FILE),
    **{key: config.get(key) for key in _VALUES},
    familiarity=_read_familiarity(folder),
  )


def _read_familiarity(folder: pathlib.Path) -> dict[str, np.ndarray] | None:
  path = folder / FAMILIARITY_FILE
  return tensors.load(path) if path.is_file() else None


def check_free(folder: pathlib.Path) -> None:
  """Fails unless `folder` may be replaced or is not there.

  Raises:
    FileExistsError: it holds something else.
  """
  if folder.is_dir():
    names = {path.name for path in folder.iterdir()} - {*_KEPT}
    others = sorted(names - {*_FILES, *_OTHERS})
    if others or (names and not is_exported(folder)):
      raise FileExistsError(
        f"{folder} holds something else than an exported reward"
        f" ({', '.join(others[:3] or sorted(names))}): choose another folder"
      )
  elif folder.exists():
    raise FileExistsError(f"{folder} is a file: choose another folder")


def _old(folder: pathlib.Path) -> pathlib.Path:
  """Where a folder is while another takes its place."""
  folder = folder.resolve()  # Of '.' too, which has no name.
  return folder.parent / f".{folder.name}.old"


def _find(folder: pathlib.Path) -> pathlib.Path:
  """The folder; where a kill left none, the one it was to replace."""
  old = _old(folder)
  return old if old.is_dir() and not folder.exists() else folder


def _restore(folder: pathlib.Path) -> None:
  """Ends a replacement that failed or was killed, or that went well."""
  old = _old(folder)
  if not old.is_dir():
    return
  if not folder.exists():
    old.rename(folder)
    return
  for name in _KEPT:
    if (old / name).exists() and not (folder / name).exists():
      (old / name).rename(folder / name)
  shutil.rmtree(old, ignore_errors=True)

"""Backbones on disk: read from wherever weights may come, and written.

They are in a file of `save`, a run, an exported reward, or a conversion.
"""

import dataclasses
import importlib.resources
import json
import pathlib
from typing import Any

from a2r import assets
from a2r.core import checks, compilation, digests, tensors, text, trees
from a2r.models import saved
from a2r.models.convert.files import Source
from a2r.models.singularity import singularity

# What launch.convert writes into its folder.
CONVERTED = "backbone.safetensors"
# The name of the one that ships with the project.
SHIPPED = "small_backbone"
# Of softmaxes without training: that of configs/envgen.py.
_TEMPERATURE = 0.07
_ASSETS = pathlib.Path(str(importlib.resources.files(assets)))


def read(path: pathlib.Path) -> Source:
  """Reads weights: of a run its best, of a reward, a conversion, or a file.

  Raises:
    FileNotFoundError: there are none.
    ValueError: a file is damaged, of another kind, or has sizes that this
      code does not know.
  """
  file = _find_file(path)
  if file:
    # Arrays that are checked mean that all of the file is.
    flat = tensors.load(file) if file.is_file() else {}
    metadata = _read_metadata(file)
    card = metadata["card"]
    if not (file.parent / digests.FILE).is_file():
      digests.note_unchecked(file.parent)
    tokenizer = text.Tokenizer.from_json(
      metadata["tokenizer"], f"{file}: its vocabulary"
    )
    config = _make_config(file, card.pop("config", None))
    return Source(trees.nest(flat, str(file)), config, card, tokenizer)
  config = read_config(path)
  if saved.is_exported(path):
    reward = saved.load(path)
    card = {"step": reward.record["step"]}
    return Source(reward.params["backbone"], config, card, reward.tokenizer)
  # Orbax takes a second to import, and a reward does without.
  from a2r.core import checkpoint

  stored = checkpoint.load(path)
  params = stored.parts["params"]
  # launch.finetune keeps this head beside the backbone.
  head = {name: params[name] for name in params if name == "mlm_head"}
  backbone = params.get("backbone", params) | head
  tokenizer = text.Tokenizer.load(path / "tokenizer.json")
  return Source(backbone, config, {"step": stored.step}, tokenizer)


def is_one(name: str | pathlib.Path) -> bool:
  """Whether a name is of a backbone alone: `SHIPPED`, a file, a conversion."""
  path = pathlib.Path(name)
  if str(name) == SHIPPED or path.suffix == ".safetensors":
    return True
  return (path / CONVERTED).is_file()


def has_sizes(name: str | pathlib.Path) -> bool:
  """Whether a name is of a backbone alone that `zero_shot` takes."""
  path = shipped() if str(name) == SHIPPED else pathlib.Path(name)
  return is_one(name) and read_config(path) is not None


def zero_shot(name: str | pathlib.Path) -> saved.SavedReward:
  """Returns a backbone as a reward that was adapted to nothing.

  It has no prompts and knows no instruction; its form is the cosine.

  Args:
    name: what `is_one` is true of.

  Raises:
    FileNotFoundError: there is none.
    ValueError: a file is damaged, of another kind, or has no sizes on record.
  """
  compilation.check_process()
  compilation.check_precision()
  path = shipped() if str(name) == SHIPPED else checks.path(name)
  source = read(path)
  if source.config is None:
    raise ValueError(
      f"{path}: the sizes of its model are not on record; train from it "
      "(--config.model.init=...), and load the run"
    )
  sizes = {"backbone": dataclasses.asdict(source.config)}
  record = {"backbone": source.card | {"init": path.stem}, "step": 0}
  reward = saved.SavedReward(
    params={"backbone": source.params},
    tokenizer=source.tokenizer,
    model=sizes | dict.fromkeys(saved.PROMPTS, 0),
    instructions=[],
    num_trained=0,
    form="cosine",
    temperature=_TEMPERATURE,
    failure_prompts=False,
    record=record,
  )
  return saved.fit(reward, path)


def read_config(path: pathlib.Path) -> singularity.Config | None:
  """Returns the config of the weights that `read` reads, if it is on record."""
  file = _find_file(path)
  if file:
    digests.check(file)
    return _make_config(file, _read_metadata(file)["card"].get("config"))
  settings = saved.read_file(path, "config.json")
  return _make_config(path, settings.get("model", {}).get("backbone"))


def _find_file(path: pathlib.Path) -> pathlib.Path | None:
  """Returns the file of `save`, None for a run or a reward."""
  if not path.is_dir():
    return path
  return path / CONVERTED if (path / CONVERTED).is_file() else None


def _read_metadata(file: pathlib.Path) -> dict[str, Any]:
  """Returns what stands beside the arrays: 'tokenizer' and 'card'."""
  if not file.is_file():
    if file == shipped():
      raise FileNotFoundError(
        f"{file} is not there, though it ships with the project; make it "
        "(python -m launch.pretrain --config=configs/pretrain.py) or train "
        "with --config.model.init=scratch"
      )
    raise FileNotFoundError(
      f"{file} is not there; expected is a folder of launch.train, "
      "launch.finetune, launch.convert or launch.export, or a file of "
      "launch.pretrain; or train with --config.model.init=scratch"
    )
  metadata = tensors.load_metadata(file)
  if not {"tokenizer", "card"} <= metadata.keys():
    raise ValueError(
      f"{file} is not of this project; python -m launch.convert --from={file} "
      "converts published weights"
    )
  card = checks.parse_json(metadata["card"], f"{file}: its card", dict)
  return metadata | {"card": card}


def _make_config(path, fields) -> singularity.Config | None:
  try:
    return fields and singularity.Config(**fields)
  except TypeError as e:
    raise ValueError(f"{path}: sizes that this code does not know: {e}") from e


def shipped_vocabulary() -> pathlib.Path:
  """Returns the vocabulary of BERT base uncased, one word piece per line."""
  return _ASSETS / "bert_vocab.txt"


def shipped() -> pathlib.Path:
  """Returns the file of the backbone that ships with the project."""
  return _ASSETS / f"{SHIPPED}.safetensors"


def save(
  path: pathlib.Path,
  params: dict[str, Any],
  tokenizer_file: pathlib.Path,
  card: dict[str, Any],
):
  """Writes a backbone as one safetensors file.

  Args:
    path: of the file.
    params: nested dicts of arrays.
    tokenizer_file: what `Tokenizer.save` wrote; goes into the file.
    card: plain values: data, steps, seed, accuracy, command.
  """
  metadata = {
    "tokenizer": tokenizer_file.read_text(encoding="utf-8"),
    "card": json.dumps(card),
  }
  tensors.save(path, trees.flatten(params), metadata)

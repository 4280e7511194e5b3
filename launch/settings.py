"""The flags of the programs that train: settings, run folder, hosts.

A program names them as its own with `flags.adopt_module_key_flags(settings)`.
"""

import contextlib
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from a2r.core import files
from a2r.runs import run_folder
from launch import app

_CONFIG = config_flags.DEFINE_config_file(
  "config", None, "A file of settings, with a size after it such as :smoke."
)
_WORKDIR = flags.DEFINE_string(
  "workdir", None, "The run folder; runs/<name of the settings> by default."
)
_DISTRIBUTED = flags.DEFINE_bool(
  "distributed", False, "Several hosts: start jax.distributed on each of them."
)


@contextlib.contextmanager
def open_run(example: str) -> Iterator[tuple[Any, pathlib.Path]]:
  """The settings and the run folder, held as long as the context lasts.

  Args:
    example: a file of settings, for who named none.

  Yields:
    The settings and the folder, which has them as config.json.

  Raises:
    ValueError: no settings, or the folder is of a run with other ones.
  """
  config = _CONFIG.value
  if config is None:
    raise ValueError(f"--config is missing, such as --config={example}")
  if _DISTRIBUTED.value:
    jax.distributed.initialize()
  workdir = pathlib.Path(
    _WORKDIR.value or app.default_workdir("config=", sys.argv[1:])
  ).expanduser()
  with files.locked(workdir):
    run_folder.store_config(workdir, config.to_dict())
    yield config, workdir

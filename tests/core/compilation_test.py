"""The compilation cache: where it is, and that a second process reads it."""

import os
import pathlib
import subprocess
import sys

import pytest

_PROGRAM = """
import sys

import pytest
import jax, jax.numpy as jnp
from a2r.core import compilation
hits = []
jax.monitoring.register_event_listener(
  lambda name, **kw: hits.append(name) if name.endswith('cache_hits') else None
)
folder = compilation.enable_cache()
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((4, 4))).block_until_ready()
print(folder)
print(len(hits))
"""


def _run(home, **env):
  keep = {k: v for k, v in os.environ.items() if "COMPILATION_CACHE" not in k}
  done = subprocess.run(
    [sys.executable, "-c", _PROGRAM],
    env={**keep, "XDG_CACHE_HOME": str(home), **env},
    stdout=subprocess.PIPE,
    text=True,
    check=True,
  )
  folder, hits = done.stdout.split("\n")[:2]
  return pathlib.Path(folder), int(hits)


def test_a_second_process_compiles_nothing_anew(tmp_path):
  folder, hits = _run(tmp_path)
  assert folder == tmp_path / "adapt2reward" / "xla"
  assert hits == 0
  assert list(folder.iterdir())
  assert _run(tmp_path)[1] > 0


def test_a_folder_chosen_for_jax_is_kept(tmp_path):
  folder, _ = _run(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "chosen"))
  assert folder == tmp_path / "chosen"


@pytest.mark.parametrize(
  "first, flags, expected",
  [("", "", None), ("", "=3", 3), ("jax.devices();", "", 1)],
)
def test_cores_become_devices_where_there_are_none(first, flags, expected):
  """As many as a batch of six splits over, unless the user chose a number."""
  code = (
    f"import jax; {first} from a2r.core import compilation;"
    "compilation.use_cores(6); print(jax.local_device_count())"
  )
  if flags:
    flags = f"--xla_force_host_platform_device_count{flags}"
  environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
  done = subprocess.run(
    [sys.executable, "-c", code], env=environment, capture_output=True
  )
  cores = len(os.sched_getaffinity(0))
  most = max(n for n in (1, 2, 3, 6) if n <= cores)
  assert int(done.stdout) == (expected or most)

"""The compilation cache that a second process reads, and cores as devices."""

import os
import pathlib
import subprocess
import sys

import jax

from a2r.core import compilation

_PROGRAM = """
import jax, jax.numpy as jnp
from a2r.core import compilation
hits = []
jax.monitoring.register_event_listener(
  lambda name, **kw: hits.append(name) if name.endswith('cache_hits') else None
)
folder = compilation.enable_cache()
compilation.use_cores(6)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((4, 4))).block_until_ready()
print(folder, len(hits), jax.local_device_count())
"""


def _run(**env):
  keep = {k: v for k, v in os.environ.items() if "COMPILATION_CACHE" not in k}
  done = subprocess.run(
    [sys.executable, "-c", _PROGRAM],
    env={**keep, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu", **env},
    stdout=subprocess.PIPE,
    text=True,
    check=True,
  )
  folder, hits, devices = done.stdout.split()
  return pathlib.Path(folder), int(hits), int(devices)


def test_a_second_process_compiles_nothing_anew(tmp_path):
  folder, hits, devices = _run(XDG_CACHE_HOME=str(tmp_path))
  assert folder == tmp_path / "adapt2reward" / "xla"
  assert hits == 0 and list(folder.iterdir())
  # As many as a batch of six splits over.
  cores = len(os.sched_getaffinity(0))
  assert devices == max(n for n in (1, 2, 3, 6) if n <= cores)
  # A folder chosen for JAX is kept.
  chosen = _run(JAX_COMPILATION_CACHE_DIR=str(folder), XDG_CACHE_HOME="/none")
  assert chosen[0] == folder and chosen[1] > 0


def test_devices_that_are_there_or_chosen_are_kept(monkeypatch):
  before = jax.local_device_count(), jax.config.jax_num_cpu_devices
  for flags in ("", "--xla_force_host_platform_device_count=3"):
    monkeypatch.setenv("XLA_FLAGS", flags)
    compilation.use_cores(6)
    assert before == (jax.local_device_count(), jax.config.jax_num_cpu_devices)


def test_no_place_for_the_cache_is_no_fault(tmp_path, caplog):
  before = jax.config.jax_compilation_cache_dir
  (tmp_path / "file").write_text("")
  try:
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "file" / "x"))
    assert compilation.enable_cache() is None
    assert jax.config.jax_compilation_cache_dir is None
  finally:
    jax.config.update("jax_compilation_cache_dir", before)
  assert str(tmp_path / "file" / "x") in caplog.text

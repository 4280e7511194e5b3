"""How programs are compiled: their cache, their precision, a CPU's cores.

And in which processes they run: `check_process`.

XLA compiles a training step for tens of seconds. With the cache on, the second
run of the same program reads what the first one compiled.
"""

import contextlib
import os
import pathlib
import sys

import jax
from absl import logging

from a2r.core import checks

_MIN_COMPILE_SECONDS = 0.5
_forked = False  # Whether this process is a fork of one that uses JAX.


def enable_cache() -> pathlib.Path | None:
  """Turns the compilation cache on, for programs that took 0.5 s and more.

  A folder that the user chose for JAX (JAX_COMPILATION_CACHE_DIR) is kept; else
  it is in the user's cache folder (XDG_CACHE_HOME respected).

  Returns:
    The folder, made if it was missing; None where it cannot be, and then there
    is no cache.
  """
  root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
  chosen = jax.config.jax_compilation_cache_dir
  path = checks.path(chosen or f"{root}/adapt2reward/xla")
  try:
    path.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    logging.warning(
      "all programs are compiled anew, without a cache: %s", error
    )
    jax.config.update("jax_compilation_cache_dir", None)
    return None
  jax.config.update("jax_compilation_cache_dir", str(path))
  jax.config.update(
    "jax_persistent_cache_min_compile_time_secs", _MIN_COMPILE_SECONDS
  )
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
  return path


def check_precision():
  """Fails where JAX has 64 bits: models, runs and plans here have 32.

  Raises:
    ValueError: says which variable to unset.
  """
  if jax.config.jax_enable_x64:
    raise ValueError(
      "JAX_ENABLE_X64 is set, or jax_enable_x64 in jax.config: expected JAX's "
      "default of 32 bits, in which all models here are made; unset it"
    )


def check_process():
  """Fails in a fork of a process that uses JAX, where it would wait forever.

  Raises:
    RuntimeError: says how to start processes instead.
  """
  if _forked:
    raise RuntimeError(
      "this process is a fork of one that uses JAX, and a fork has none of "
      "JAX's threads: it would wait forever. Start processes with "
      "multiprocessing.get_context('spawn'), or 'forkserver'; "
      "ProcessPoolExecutor takes it as mp_context, PyTorch's DataLoader as "
      "multiprocessing_context"
    )


def _note_fork():
  global _forked
  # JAX tells nobody whether it has started its threads.
  bridge = sys.modules.get("jax._src.xla_bridge")
  _forked = bool(getattr(bridge, "_backends", None))


if hasattr(os, "register_at_fork"):
  os.register_at_fork(after_in_child=_note_fork)


def use_cores(most: int):
  """Makes a CPU's cores devices of their own; before JAX touches a device.

  XLA splits few of a small network's operations over threads; a program of its
  own on each core keeps all of them at work. Elsewhere, where XLA_FLAGS names
  a number of devices, and in a process that uses devices already, nothing
  happens. The number is the largest divisor of `most` that there are cores for,
  so that a batch of that size splits.
  """
  if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
    return
  cores = len(os.sched_getaffinity(0))
  number = max(n for n in range(1, cores + 1) if most % n == 0)
  with contextlib.suppress(RuntimeError):  # The devices are there already.
    jax.config.update("jax_num_cpu_devices", number)

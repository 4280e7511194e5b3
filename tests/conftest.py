"""Test session: eight fake CPU devices and a compilation cache that lasts."""

import importlib.util
import os
import pathlib

# Tests compile much and run little: the least optimization is the fastest, and
# XLA's older way to emit fused loops takes half the time of the newer.
_FLAGS = (
  "--xla_force_host_platform_device_count=8",
  "--xla_backend_optimization_level=0",
  "--xla_llvm_disable_expensive_passes=true",
  "--xla_cpu_use_fusion_emitters=false",
)
for _flag in _FLAGS:
  if _flag.partition("=")[0] not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_flag}"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import pytest  # noqa: E402

from a2r.core import compilation  # noqa: E402  JAX reads the flags above.

compilation.enable_cache()
pytest_plugins = ["tests.fixtures"]


@pytest.fixture(scope="session")
def load_module():
  """Function of a path under this folder to the module in it."""

  def load(path):
    file = pathlib.Path(__file__).parent / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

  return load

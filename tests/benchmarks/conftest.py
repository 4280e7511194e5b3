"""Benchmarks are programs with flags of their own."""

import importlib

import pytest
from absl import flags


@pytest.fixture
def benchmark_module():
  """Function of a benchmark's name to its module; its flags are taken back."""
  known = set(flags.FLAGS)
  yield lambda name: importlib.import_module(f"benchmarks.{name}")
  for name in set(flags.FLAGS) - known:
    delattr(flags.FLAGS, name)

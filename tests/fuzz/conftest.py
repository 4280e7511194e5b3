"""Counts how the cases of the fuzz end, and makes what they change."""

import collections

import pytest

from tests.fuzz import harness, things


def pytest_terminal_summary(terminalreporter):
  """Prints the table of outcomes by door."""
  counts, faults = collections.defaultdict(collections.Counter), []
  for reports in terminalreporter.stats.values():
    for report in reports:
      for name, value in getattr(report, "user_properties", ()):
        if name == "fuzz" and report.when == "call":
          door, outcome, case, why = value
          counts[door][outcome] += 1
          if outcome not in harness.GOOD:
            faults.append(f"{outcome} {door}-{case}: {why}")
  if not counts:
    return
  write = terminalreporter.write_line
  for fault in faults:
    write(fault)
  write(
    f"{'door':12}{'inputs':>8}"
    + "".join(f"{name:>10}" for name in harness.OUTCOMES)
  )
  counts["all"] = sum(counts.values(), collections.Counter())
  for door, row in counts.items():
    numbers = "".join(f"{row[name]:10}" for name in harness.OUTCOMES)
    write(f"{door:12}{sum(row.values()):8}{numbers}")


@pytest.fixture(scope="session")
def _made(tmp_path_factory):
  return things.Things(tmp_path_factory)


@pytest.fixture
def tools(launch, tmp_path, monkeypatch, _made):
  """What a case may use."""
  return harness.Tools(tmp_path, launch, _made, monkeypatch)

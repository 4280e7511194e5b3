"""Bad and odd inputs at every door, by rule: told, or right; never silent.

  python -m pytest -n 0 -m "slow or not slow" tests/fuzz

prints how many inputs each door had and how they ended. One of them alone:
`-k "flags-score---video"`.
"""

import collections

import pytest

from tests.fuzz import doors, harness

_QUICK = ("flags", "settings", "manifests", "api")
_EVERY = 20  # Of the quick doors' cases, run with the ordinary tests.


def _cases():
  params = []
  for door, make in doors.DOORS.items():
    for number, case in enumerate(make()):
      assert case.door == door
      quick = door in _QUICK and number % _EVERY == 0
      marks = [] if quick else [pytest.mark.slow]
      params.append(pytest.param(case, id=f"{door}-{case.name}", marks=marks))
  names = collections.Counter(param.id for param in params)
  assert not [name for name, count in names.items() if count > 1], names
  return params


@pytest.mark.parametrize("case", _cases())
def test_an_input_is_told_or_right(case, tools, record_property):
  outcome, why = harness.judge(case, tools)
  record_property("fuzz", (case.door, outcome, case.name, why))
  assert outcome in harness.GOOD, f"{outcome}: {why}"

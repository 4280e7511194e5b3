"""A miniature of Something-Something V2, made once."""

import pytest

from benchmarks import ssv2_mini

TEMPLATES = tuple(ssv2_mini.MOTIONS)[2:5]


@pytest.fixture(scope="session")
def mini(tmp_path_factory):
  """Its folder and the numbers of the bad videos: cut, empty and missing."""
  folder = tmp_path_factory.mktemp("ssv2")
  bad = ssv2_mini.make(
    folder, per_template=5, templates=TEMPLATES, sizes=((32, 48), (48, 32))
  )
  return folder, bad

"""Named lists of templates hold templates that exist."""

import json
import pathlib

import pytest

from configs import envgen, tasks

LABELS = pathlib.Path(__file__).parents[1] / "golden" / "ssv2_labels.json"


def test_lists_are_of_published_labels():
  labels = json.loads(LABELS.read_text())
  for name in tasks.TEMPLATES:
    templates = tasks.find(name)
    assert set(templates) <= set(labels) and len(labels) == 174
    assert len(set(templates)) == len(templates)
  sizes = {name: len(tasks.find(name)) for name in tasks.TEMPLATES}
  assert sizes == {
    "experiments": 7, "plus3": 3, "plus6": 6, "plus9": 9, "all": 0
  }  # fmt: skip
  assert set(tasks.find("plus3")) < set(tasks.find("plus6"))
  assert set(tasks.find("plus6")) < set(tasks.find("plus9"))
  assert tasks.find("experiments") == envgen.HUMAN_TEMPLATES
  with pytest.raises(ValueError, match="'plus4'; known: experiments, plus3"):
    tasks.find("plus4")

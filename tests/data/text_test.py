"""Instructions from templates."""

import pytest

from data import text

_TEMPLATES = (
  "Closing something",
  "Pushing something from left to right",
  "Moving something away from the camera",
  "Moving something away from something",
  "Poking something so lightly that it doesn't move",
)


@pytest.mark.parametrize(
  "template, instruction, fits",
  [
    ("Closing something", "closing drawer", True),
    ("Moving part of something", "moving part of faucet", True),
    ("Putting [something] into [something]", "putting cup into box", True),
    ("Something falling like a rock", "cup falling like a rock", True),
    ("Poking some substance", "poking some substance", True),
    ("Closing something", "opening drawer", False),
    ("Closing something", "closing ", False),
    ("Moving something up", "moving cup up and down", False),
  ],
)
def test_fits(template, instruction, fits):
  assert text.fits(template, instruction) == fits


def test_corpus_holds_every_word_once():
  templates = [
    "Closing something",
    "Moving (it)",
    "Put [something] in something",
  ]
  assert text.corpus(templates, ["Cup", "box"]) == [
    "closing something",
    "closing cup",
    "closing box",
    "moving (it)",
    "put [something] in something",
    "put cup in cup",
    "put box in box",
  ]


@pytest.mark.parametrize(
  "instruction, template",
  [
    ("closing drawer", "Closing something"),
    ("Close the drawer!", "Closing something"),
    ("put a cup in the sink", None),
    ("close the drawer and then open the box", None),
    ("closing the drawer and opening the box", None),
    ("close", None),
    ("", None),
    ("pushing the mug from left to right", _TEMPLATES[1]),
    ("move the mug away from the camera", _TEMPLATES[2]),
    ("move the mug away from the plate", _TEMPLATES[3]),
    ("poke cup so lightly that it doesnt move", _TEMPLATES[4]),
  ],
)
def test_template_of_an_instruction(instruction, template):
  assert text.find_template(instruction, _TEMPLATES) == template


def test_two_templates_that_do_not_compare_are_none():
  templates = ["Moving something up", "Moving part of something"]
  assert text.find_template("move part of box up", templates) is None

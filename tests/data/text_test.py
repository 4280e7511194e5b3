"""Instructions from templates."""

import pytest

from data import text


@pytest.mark.parametrize(
  "template, nouns, instruction",
  [
    ("Closing something", ["drawer"], "closing drawer"),
    ("Moving part of something", ["faucet"], "moving part of faucet"),
    (
      "Putting [something] into [something]",
      ["Cup", "box"],
      "putting cup into box",
    ),
    ("Something falling like a rock", ["cup"], "cup falling like a rock"),
    (
      "Poking a hole into some substance",
      [],
      "poking a hole into some substance",
    ),
  ],
)
def test_fill(template, nouns, instruction):
  assert text.num_places(template) == len(nouns)
  assert text.fill(template, nouns) == instruction
  assert text.fits(template, instruction)


def test_wrong_number_of_nouns():
  with pytest.raises(ValueError, match="has 1 places for objects, got 2"):
    text.fill("Closing something", ["a", "b"])


def test_what_does_not_fit():
  assert not text.fits("Closing something", "opening drawer")
  assert not text.fits("Closing something", "closing ")
  assert not text.fits("Moving something up", "moving cup up and down")


def test_corpus_holds_every_word_once():
  texts = text.corpus(["Closing something", "Moving (it)"], ["cup", "box"])
  assert texts == [
    "closing something",
    "closing cup",
    "closing box",
    "moving (it)",
  ]

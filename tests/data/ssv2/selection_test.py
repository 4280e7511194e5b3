"""Which videos are chosen."""

import collections

import pytest

from data.ssv2 import selection
from data.ssv2.layout import Video
from data.ssv2.selection import Selection

TEMPLATES = (
  "Closing something",
  "Pushing something from left to right",
  "Pushing something from right to left",
)
VIDEOS = [
  Video(str(i), TEMPLATES[i % 3], TEMPLATES[i % 3].lower()) for i in range(30)
]


def test_any_spelling_is_found():
  names = ("pushing [something] from left to right", "CLOSING something")
  assert selection.resolve(names, TEMPLATES) == (TEMPLATES[1], TEMPLATES[0])
  assert selection.resolve((), TEMPLATES) == TEMPLATES


@pytest.mark.parametrize(
  "names, message",
  [
    (["Pushing something left to right"], "near it: 'Pushing something from l"),
    (["x"], "unknown template 'x'; there are 3 oth"),
    (["Closing something", "closing [something]"], "is named twice"),
  ],
)
def test_names_that_make_no_sense(names, message):
  with pytest.raises(ValueError, match=message):
    selection.resolve(names, TEMPLATES)


def test_the_choice_is_seeded_and_grows():
  def choose(number, seed=0, templates=TEMPLATES):
    chosen = Selection(per_template=number, seed=seed)
    return selection.choose(VIDEOS, chosen, templates)

  few, more = choose(3), choose(6)
  counts = collections.Counter(video.template for video in few)
  assert counts == dict.fromkeys(TEMPLATES, 3)
  assert set(few) < set(more)
  assert [int(v.name) for v in few] == sorted(int(v.name) for v in few)
  assert choose(3) == few != choose(3, seed=1)
  alone = choose(3, templates=TEMPLATES[:1])
  assert alone == [v for v in few if v.template == TEMPLATES[0]]
  assert choose(0) == choose(99) == VIDEOS


def test_captions():
  video = Video("7", "Closing [something]", "closing cup")
  captions = [selection.caption(video, kind) for kind in selection.CAPTIONS]
  assert captions == ["closing cup", "closing something"]


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"caption": "text"}, "unknown caption 'text'; known: label, template"),
    ({"num_frames": 0}, "num_frames must be at least 1, got 0"),
    ({"per_template": -1}, "per_template must be at least 0, got -1"),
  ],
)
def test_mistakes_are_told(changes, message):
  with pytest.raises(ValueError, match=message):
    Selection(**changes)

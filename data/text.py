"""Instructions from Something-Something V2 templates.

A template says 'something' where an object goes, and some of the published
ones say it in brackets: 'Putting [something] into [something]'.
"""

import re
from collections.abc import Iterable, Sequence

_PLACE = re.compile(r"\[[^\]]*\]|\b[Ss]omething\b")


def num_places(template: str) -> int:
  """How many objects a template names."""
  return len(_PLACE.findall(template))


def fill(template: str, nouns: Sequence[str]) -> str:
  """The lower-case instruction with the objects in their places.

  >>> fill('Pushing something from left to right', ['cup'])
  'pushing cup from left to right'

  Raises:
    ValueError: more or fewer nouns than places.
  """
  if len(nouns) != num_places(template):
    raise ValueError(
      f"{template!r} has {num_places(template)} places for objects, got "
      f"{len(nouns)}: {list(nouns)}"
    )
  words = iter(nouns)
  return _PLACE.sub(lambda _: next(words), template).lower()


def fits(template: str, instruction: str) -> bool:
  """Whether an instruction is the template with its places filled."""
  fixed = (re.escape(part) for part in _PLACE.split(template.lower()))
  return re.fullmatch(".+".join(fixed), instruction.lower()) is not None


def corpus(templates: Iterable[str], nouns: Iterable[str]) -> list[str]:
  """Texts that hold every word an instruction can have, for a tokenizer.

  Each template stands once as it is and once with every noun in all of its
  places, in a fixed order without repetition.
  """
  nouns = list(nouns)
  texts = []
  for template in templates:
    places = num_places(template)
    texts.append(template.lower())
    texts += [fill(template, [noun] * places) for noun in nouns if places]
  return list(dict.fromkeys(texts))

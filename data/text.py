"""Instructions from Something-Something V2 templates.

A template says 'something' where an object goes, and some of the published
ones say it in brackets: 'Putting [something] into [something]'.
"""

import re
from collections.abc import Iterable

from a2r.core import text as text_lib

# Words that may say more than one template does: they must be its own.
_MORE = ("and", "then", "not", "without")
_PLACE = re.compile(r"\[[^\]]*\]|\b[Ss]omething\b")


def fits(template: str, instruction: str) -> bool:
  """Returns whether an instruction is the template with its places filled."""
  fixed = (re.escape(part) for part in _PLACE.split(template.lower()))
  return re.fullmatch(".+".join(fixed), instruction.lower()) is not None


def reads_as(template: str, instruction: str) -> bool:
  """Returns whether it is the template filled, as people may write it.

  Besides what `fits`: case and punctuation do not count, articles may be left
  out or put in, and the first verb may be in its plain form. What may say more
  than the template, 'and' and the like, does not read as it even where it fits.

  >>> reads_as('Closing something', 'Close the drawer.')
  True
  >>> reads_as('Closing something', 'close the drawer and open the box')
  False
  """
  fixed, words = _plain_words(template), _plain_words(instruction)
  if any(words.count(word) > fixed.count(word) for word in _MORE):
    return False
  if fits(template, instruction):
    return True
  verbs = (words[0], *text_lib.ing_forms(words[0])) if words else ()
  plain = " ".join(fixed)
  return any(fits(plain, " ".join([verb, *words[1:]])) for verb in verbs)


def find_template(instruction: str, templates: Iterable[str]) -> str | None:
  """Returns the one template that an instruction reads as, or None.

  Of several, the one that all others read it as: 'moving cup away from the
  camera' is not 'Moving something away from something'. Two that do not compare
  are none.
  """
  fitting = [t for t in dict.fromkeys(templates) if reads_as(t, instruction)]
  special = [t for t in fitting if all(reads_as(u, t) for u in fitting)]
  return special[0] if len(special) == 1 else None


def _plain_words(words: str) -> list[str]:
  cleaned = text_lib.pre_text(words).split()
  return [word for word in cleaned if word not in text_lib.ARTICLES]


def corpus(templates: Iterable[str], nouns: Iterable[str]) -> list[str]:
  """Returns texts with every word an instruction can have, for a tokenizer.

  Each template stands once as it is and once with every noun in all of its
  places, in lower case and a fixed order, without repetition.

  >>> corpus(['Pushing something off something'], ['cup'])
  ['pushing something off something', 'pushing cup off cup']
  """
  nouns, texts = list(nouns), []
  for template in templates:
    texts.append(template.lower())
    pieces = _PLACE.split(template)
    if len(pieces) > 1:
      texts += [noun.join(pieces).lower() for noun in nouns]
  return list(dict.fromkeys(texts))

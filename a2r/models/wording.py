"""Which known instruction a user's text is, by a rule that can be read.

Robot and human videos are labeled in the manner of Something-Something-V2,
'closing drawer'; people ask for 'Close the drawer!'. Two texts are one
instruction if, after `text.pre_text` (case, punctuation), they are equal word
by word once the articles a, an, the are left out, where the first words may
also be a verb and its -ing form: push - pushing, close - closing, put -
putting. Nothing else is equated: no synonyms, no plurals, no word order.
"""

from collections.abc import Sequence

from a2r.core import text


def find(instruction: str, known: Sequence[str]) -> int | None:
  """Position of the one known instruction that `instruction` is, or None.

  Equality after `text.pre_text` comes first. A text that the looser rule finds
  in several known instructions is none of them.

  Args:
    instruction: any text.
    known: the known instructions.

  Raises:
    ValueError: the instruction is not a text or has no words.
  """
  if not isinstance(instruction, str):
    raise ValueError(f"an instruction is a str, got {instruction!r}")
  asked = text.pre_text(instruction)
  if not asked:
    raise ValueError(f"the instruction is empty: {instruction!r}")
  cleaned = [text.pre_text(one) for one in known]
  if asked in cleaned:
    return cleaned.index(asked)
  matches = [i for i, one in enumerate(cleaned) if _same(asked, one)]
  return matches[0] if len(matches) == 1 else None


def _same(first: str, second: str) -> bool:
  """Whether two cleaned texts differ in articles and the verb's form alone."""
  first, second = _words(first), _words(second)
  if not first or not second or first[1:] != second[1:]:
    return False
  verbs = first[0], second[0]
  return (
    verbs[0] == verbs[1]
    or verbs[0] in text.ing_forms(verbs[1])
    or verbs[1] in text.ing_forms(verbs[0])
  )


def _words(cleaned: str) -> list[str]:
  return [word for word in cleaned.split() if word not in text.ARTICLES]

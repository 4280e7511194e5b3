"""Text to token ids, the way the published models were trained.

BERT's WordPiece over cleaned, lower-cased text: [CLS], the word pieces, then
[PAD]. There is NO [SEP]: Singularity's own tokenizer adds none to a single
sentence, unlike the tokenizers of `transformers`.

Letters: N texts, L tokens.
"""

import collections
import itertools
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tokenizers
from absl import logging
from tokenizers import models, normalizers, pre_tokenizers

from a2r.core import checks, digests, files

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNKNOWN, CLS, SEP, MASK = SPECIAL
ARTICLES = ("a", "an", "the")
_DELETED = re.compile(r"[,.'!?\"()*#:;~]")
_SPACED = re.compile(r"[-/]")
_DASH = r"[\s_\u2010-\u2015\u2212-]"  # Or a blank.
# Between what is no letter: 'push_left' has one, 'upright' none.
_DIRECTION = re.compile(
  rf"""(?<![^\W\d_])
  (?:(?:left|right)(?=(?:most|wards?|hand(?:ed)?|side)?(?![^\W\d_]))
  |(?:(?:(?:counter|anti|contra){_DASH}*)?clock{_DASH}*wise
  |[ac]?cw|[lr]hs)(?![^\W\d_]))""",
  re.I | re.X,
)
# Places on a clock's face, turns by an angle with a sign, arrows, and left,
# right and the senses of a turn in the languages of most data sets.
_UNSWAPPED = re.compile(
  r"\bo\W?\s?clock\b"
  r"|(?:(?<!\w)[-+\u2212]|\b(?:minus|plus))\s?\d+\s?(?:\xb0|deg)"
  r"|[\u2190-\u21ff\u27a1\u27f0-\u27ff\u2b00-\u2b11\U0001f448\U0001f449]"
  r"|(?<![^\W\d_])(?:link(?:s|e[mnrs]?)|recht(?:s|e[mnrs]?)|uhrzeigersinn|gauche"
  r"|droite?|(?:izquierd|derech|esquerd|direit|sinistr|destr)[ao]s?"
  r"|(?:anti-?)?h?orari[oa]|(?:anti-?)?horaire)(?![^\W\d_])",
  re.I,
)
_NORMALIZER = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
_PRE_TOKENIZER = pre_tokenizers.BertPreTokenizer()
_MIRRORED = {
  "left": "right", "right": "left",
  "clockwise": "counterclockwise",
  "counterclockwise": "clockwise", "anticlockwise": "clockwise",
  "contraclockwise": "clockwise",
  "cw": "ccw", "ccw": "cw", "acw": "cw",
  "lhs": "rhs", "rhs": "lhs",
}  # fmt: skip


def pre_text(text: str) -> str:
  """Returns lower case without punctuation; `-` and `/` become spaces.

  >>> pre_text('<person> push-push/right!')
  'person push push right'
  """
  text = _SPACED.sub(" ", _DELETED.sub("", text.lower()))
  return re.sub(r"\s+", " ", text.replace("<person>", "person")).strip()


def has_direction(text: str) -> bool:
  """Returns whether a mirrored picture belies a text.

  It does where the text says left, right or the sense of a turn: clockwise, at
  3 o'clock, by -90 degrees. So it does with these in German, Dutch, French,
  Italian, Spanish and Portuguese. A text in another script may.
  """
  return bool(_DIRECTION.search(text)) or _has_no_mirror(text)


def mirror(text: str) -> str | None:
  """Returns what a text says of the mirrored picture; None if none is known.

  Left and right are swapped, also with -most, -ward(s), -hand(ed) and -side,
  and so are clockwise and counterclockwise, anticlockwise, cw and ccw: whole
  words in any case, whatever they mean ('right behind' becomes 'left behind').
  There is no mirrored text of 3 o'clock, -90 degrees, another script, or left
  and right in another language.

  >>> mirror('Pulling something from left to right')
  'Pulling something from right to left'
  """

  def swap(found):
    word = _MIRRORED[re.sub(_DASH, "", found[0].lower())]
    if found[0].isupper():
      return word.upper()
    return word.capitalize() if found[0][0].isupper() else word

  if _has_no_mirror(text):
    return None
  return _DIRECTION.sub(swap, text)


def _has_no_mirror(text: str) -> bool:
  """Whether a text says what is not known of its mirror image."""
  return bool(_UNSWAPPED.search(text)) or any(
    letter.isalpha()
    and not unicodedata.name(letter, "LATIN").startswith("LATIN")
    for letter in text
  )


def ing_forms(verb: str) -> tuple[str, ...]:
  """Returns the spellings, right or wrong, of the -ing form of a verb."""
  forms = (f"{verb}ing", f"{verb}{verb[-1]}ing")
  return (*forms, f"{verb[:-1]}ing") if verb.endswith("e") else forms


def failing(instruction: str) -> str:
  """Returns what it is to fail at an instruction: 'failing to open it'."""
  is_ing = re.match(r"\w*[aeiouy]\w*ing\b", instruction, re.I)
  return f"failing {'at' if is_ing else 'to'} {instruction}"


def find_instruction(instruction: str, known: Sequence[str]) -> int | None:
  """Returns which known instruction a user's text is, by a rule one can read.

  Robot and human videos are labeled in the manner of Something-Something-V2,
  'closing drawer'; people ask for 'Close the drawer!'. Two texts are one
  instruction if, after `pre_text`, they are equal word by word once the
  articles a, an, the are left out, where the first words may also be a verb and
  its -ing form: push - pushing, close - closing, put - putting. Nothing else is
  equated: no synonyms, no plurals, no word order. Equality after `pre_text`
  comes first.

  Args:
    instruction: any text.
    known: the known instructions.

  Returns:
    Its position; None where it is none of them, or may be several.

  Raises:
    ValueError: the instruction is not a text or has no words.
  """
  if not isinstance(instruction, str):
    raise ValueError(f"an instruction is a str, got {instruction!r}")
  asked, cleaned = pre_text(instruction), [pre_text(text) for text in known]
  if not asked:
    raise ValueError(f"the instruction is empty: {instruction!r}")
  if asked in cleaned:
    return cleaned.index(asked)
  matches = [i for i, text in enumerate(cleaned) if _same(asked, text)]
  return matches[0] if len(matches) == 1 else None


def read_as(instruction: str, known: Sequence[str]) -> str:
  """Returns the known instruction that a text is read as, or the text."""
  index = find_instruction(instruction, known)
  return instruction if index is None else known[index]


def _same(asked: str, known: str) -> bool:
  """Whether two cleaned texts differ in articles and the verb's form alone."""
  first, second = (
    [word for word in text.split() if word not in ARTICLES]
    for text in (asked, known)
  )
  if not first or not second or first[1:] != second[1:]:
    return False
  (verb, *_), (other, *_) = first, second
  return verb == other or verb in ing_forms(other) or other in ing_forms(verb)


class Tokenizer:
  """WordPiece ids of texts; made by `train`, `from_vocab` or `load`."""

  def __init__(self, tokenizer: tokenizers.Tokenizer):
    """Wraps a `tokenizers.Tokenizer` that has the special tokens."""
    self._tokenizer = tokenizer
    missing = [t for t in SPECIAL if tokenizer.token_to_id(t) is None]
    if missing:
      raise ValueError(f"the vocabulary lacks {missing}")
    self._pad = tokenizer.token_to_id(PAD)
    self._cls = tokenizer.token_to_id(CLS)

  @classmethod
  def train(cls, corpus: Iterable[str], *, vocab_size: int) -> "Tokenizer":
    """Learns a vocabulary of at most `vocab_size` pieces from texts.

    The same texts give the same vocabulary, in whatever order they come. With
    room enough every word gets a piece of its own.

    Raises:
      ValueError: `vocab_size` has no room for the letters of the texts.
    """
    words = collections.Counter()
    for text in corpus:
      normal = _NORMALIZER.normalize_str(pre_text(text))
      words.update(w for w, _ in _PRE_TOKENIZER.pre_tokenize_str(normal))
    return cls.from_vocab(_learn_vocab(words, vocab_size))

  @classmethod
  def from_vocab(cls, vocab: Sequence[str]) -> "Tokenizer":
    """Returns a tokenizer; ids are the places in `vocab` (BERT's vocab.txt)."""
    return cls._make({token: place for place, token in enumerate(vocab)})

  @classmethod
  def from_json(cls, content: str | bytes, where: Any) -> "Tokenizer":
    """Returns the tokenizer that `save` wrote, of its JSON.

    Of it the vocabulary alone is read: all else is always the same here, and of
    a file of others could ask for any time and memory, such as to fill texts up
    to a length.

    Raises:
      ValueError: it is none; begins with `where`.
    """
    try:
      model = checks.parse_json(content, where, dict)["model"]
      places = dict(model["vocab"])
      if model.get("type", "WordPiece") != "WordPiece":
        raise ValueError(f"its model is {model['type']!r}, not WordPiece")
      if not all(type(place) is int for place in places.values()):
        raise ValueError("a place in its vocabulary is no number")
      return cls._make(places)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      text = checks.one_line(error).removeprefix(f"{where} ")
      raise ValueError(f"{where} is not a tokenizer file: {text}") from error
    except OverflowError as error:
      raise ValueError(f"{where} is not a tokenizer file: {error}") from error

  @classmethod
  def _make(cls, places: Mapping[str, int]) -> "Tokenizer":
    model = models.WordPiece(
      dict(places), unk_token=UNKNOWN, max_input_chars_per_word=100
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = _NORMALIZER
    tokenizer.pre_tokenizer = _PRE_TOKENIZER
    return cls(tokenizer)

  @classmethod
  def load(cls, path: str | pathlib.Path) -> "Tokenizer":
    """Reads what `save` wrote.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged or not a tokenizer.
    """
    path = pathlib.Path(path)
    digests.check(path)
    return cls.from_json(path.read_bytes(), path)

  def save(self, path: str | pathlib.Path) -> None:
    """Writes one JSON file, its digest on the folder's record."""
    text = self._tokenizer.to_str(pretty=True)
    with files.recorded_write(pathlib.Path(path)) as partial:
      partial.write_text(text, encoding="utf-8")

  def check(self, texts: Sequence[str]):
    """Tells, in one note, of words that the vocabulary lacks.

    All of them read the same, such as words of another script.

    Raises:
      ValueError: a text of which nothing can be read.
    """
    unread = {}
    for text in texts:
      cleaned = pre_text(text)
      pieces = self._tokenizer.encode(cleaned, add_special_tokens=False)
      words = [
        cleaned[slice(*place)]
        for token, place in zip(pieces.tokens, pieces.offsets, strict=True)
        if token == UNKNOWN
      ]
      if len(words) == len(pieces):
        raise ValueError(
          f"nothing of the instruction {text!r} can be read: the vocabulary "
          "has neither its words nor its letters; use other words"
        )
      if words:
        unread[text] = words
    if unread:
      text, words = next(iter(unread.items()))
      logging.warning(
        "words that the vocabulary lacks read as unknown, all the same: %s in "
        "the instruction %r%s",
        ", ".join(map(repr, words)),
        text,
        f", and others in {len(unread) - 1} more" * (len(unread) > 1),
      )

  def has_word(self, word: str) -> bool:
    """Returns whether a word is one piece of the vocabulary."""
    return self._tokenizer.token_to_id(word) is not None

  @property
  def mask_id(self) -> int:
    """Returns the id of [MASK]."""
    return self._tokenizer.token_to_id(MASK)

  @property
  def vocab_size(self) -> int:
    """Returns the number of pieces, special tokens included."""
    return self._tokenizer.get_vocab_size()

  @property
  def num_ids(self) -> int:
    """Returns the least number that is larger than every id."""
    return 1 + max(self._tokenizer.get_vocab().values())

  def __call__(
    self, texts: Sequence[str], max_length: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns token ids and mask of texts.

    Args:
      texts: N strings, cleaned by `pre_text` here.
      max_length: L; longer texts are cut.

    Returns:
      `input_ids` and `attention_mask`, both `[N, L]` int32.

    Raises:
      TypeError: a single string instead of a list.
    """
    if isinstance(texts, str):
      raise TypeError("texts must be a list of strings, got one string")
    shape = (len(texts), max_length)
    input_ids = np.full(shape, self._pad, np.int32)
    attention_mask = np.zeros(shape, np.int32)
    for row, text in enumerate(texts):
      pieces = self._tokenizer.encode(pre_text(text), add_special_tokens=False)
      ids = [self._cls, *pieces.ids][:max_length]
      input_ids[row, : len(ids)] = ids
      attention_mask[row, : len(ids)] = 1
    return input_ids, attention_mask


def _learn_vocab(words: dict[str, int], vocab_size: int) -> list[str]:
  """Pieces of words by joining the commonest neighbors, again and again.

  The library's own trainer breaks ties by the order of a hash map, so that two
  runs give two vocabularies; here the first pair in the alphabet wins.
  `words` says how often each occurs. Special tokens come first, then letters in
  order, then joined pieces, the commonest first.
  """
  pieces = {w: [w[0], *("##" + letter for letter in w[1:])] for w in words}
  vocab = [*SPECIAL, *sorted({p for word in pieces.values() for p in word})]
  if len(vocab) > vocab_size:
    raise ValueError(
      f"vocab_size {vocab_size} is too small: special tokens and letters "
      f"alone are {len(vocab)}"
    )
  counts, places = collections.Counter(), collections.defaultdict(set)

  def count(word, sign):
    for pair in itertools.pairwise(pieces[word]):
      counts[pair] += sign * words[word]
      places[pair].add(word)

  def join(word, pair, joined):
    result = []
    for piece in pieces[word]:
      if result and (result[-1], piece) == pair:
        result[-1] = joined
      else:
        result.append(piece)
    return result

  for word in words:
    count(word, 1)
  while len(vocab) < vocab_size and counts:
    pair = min(counts, key=lambda p: (-counts[p], p))
    joined = pair[0] + pair[1].removeprefix("##")
    if joined not in vocab:
      vocab.append(joined)
    for word in places.pop(pair):
      count(word, -1)
      pieces[word] = join(word, pair, joined)
      count(word, 1)
    counts = collections.Counter({p: n for p, n in counts.items() if n > 0})
  return vocab

"""Texts of human clips: templates, paraphrases, names of things, their colors.

Training draws one text per clip, on the device, from tables of token ids. Some
paraphrases and names are kept for evaluations. Letters: C templates, P phrases
per template, Q places for nouns, N nouns, M names per noun, K colors, L tokens.
"""

import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from a2r.core import checks, text
from a2r.sim.humans import act_phrases, acts, looks, templates
from a2r.sim.humans import phrases as human_phrases

COLORS = tuple(looks.COLORS)
KINDS = ("paraphrase", "name")
_TEMPLATE_ONLY, _TEMPLATE_NAMED = 0.3, 0.35  # Else a paraphrase.
_PLAIN_NAME, _COLORED = 0.5, 0.25
_PLACE = re.compile(r"\{[01]\}")


class Words(NamedTuple):
  """What is said of a set of templates, for training and for evaluations."""

  phrases: tuple  # C pairs: phrases of training, the template first; others.
  names: tuple  # N pairs: names of training, the caption's first; others.


@struct.dataclass
class Tables:
  """Token ids of all training texts in parts; unused ids are -1."""

  parts: jax.Array  # `[C, P, Q + 1, L1]` before, between, after the places.
  places: jax.Array  # `[C, P, Q]` which noun is in each, -1 for none.
  num_phrases: jax.Array  # `[C]`; phrase 0 is the template.
  names: jax.Array  # `[N + 1, M, L2]`; the last noun is 'something'.
  num_names: jax.Array  # `[N + 1]`.
  colors: jax.Array  # `[K, L3]`.
  begin: jax.Array  # `[1]` the id before every text.
  pad: jax.Array  # `[]` the id after it.
  max_length: int = struct.field(pytree_node=False)  # L.


def make_tables(
  tokenizer: text.Tokenizer, max_length: int, words: Words | None = None
) -> Tables:
  """Makes tables for `draw`, whose texts are cut after `max_length` tokens."""
  words = words or WORDS
  phrases = [trained for trained, _ in words.phrases]
  names = [*(trained for trained, _ in words.names), ["something"]]
  most = max(map(len, phrases))
  padded = [_filled(row, most) for row in phrases]
  nouns = [
    [[int(p[1]) for p in _PLACE.findall(x)] for x in row] for row in padded
  ]
  num_places = max(len(x) for row in nouns for x in row)
  parts = [
    [_filled(_PLACE.split(x), num_places + 1) for x in row] for row in padded
  ]
  places = [[_filled(x, num_places, -1) for x in row] for row in nouns]
  most_names = max(map(len, names))
  begin, pad = tokenizer([""], 2)[0][0]
  return Tables(
    parts=_ids(tokenizer, parts),
    places=jnp.array(places),
    num_phrases=jnp.array([len(row) for row in phrases]),
    names=_ids(tokenizer, [_filled(row, most_names) for row in names]),
    num_names=jnp.array([len(row) for row in names]),
    colors=_ids(tokenizer, COLORS),
    begin=jnp.array([begin]),
    pad=jnp.array(pad),
    max_length=max_length,
  )


def draw(tables: Tables, rng, label, nouns, color):
  """Draws one training text of one clip.

  Args:
    tables: from `make_tables`.
    rng: typed key, consumed.
    label: `[]` index of the template.
    nouns: `[2]` indices into `NOUNS`, in the caption's order.
    color: `[]` index into `COLORS` of the first noun.

  Returns:
    `input_ids` and `mask`, both `[L]` int32.
  """
  rngs = jax.random.split(rng, 5)
  style = jax.random.uniform(rngs[0])
  count = tables.num_phrases[label]
  phrase = jax.random.randint(rngs[1], (), 1, count)
  phrase = jnp.where(style < _TEMPLATE_ONLY + _TEMPLATE_NAMED, 0, phrase)
  something = tables.names.shape[0] - 1
  nouns = jnp.where(style < _TEMPLATE_ONLY, something, nouns)
  plain = jax.random.bernoulli(rngs[2], _PLAIN_NAME, (2,))
  name = jax.random.randint(rngs[3], (2,), 0, tables.num_names[nouns])
  names = tables.names[nouns, jnp.where(plain, 0, name)]
  colored = jax.random.bernoulli(rngs[4], _COLORED) & (nouns[0] != something)
  colors = jnp.full((2, tables.colors.shape[1]), -1)
  colors = colors.at[0].set(jnp.where(colored, tables.colors[color], -1))
  nouns = jnp.concatenate([colors, names], axis=-1)
  places = tables.places[label, phrase][:, None]
  nouns = jnp.where(places >= 0, nouns[places[:, 0]], -1)
  before, *others = tables.parts[label, phrase]
  pairs = zip(nouns, others, strict=True)
  return _join(tables, [before, *(ids for pair in pairs for ids in pair)])


def corpus(words: Words | None = None) -> list[str]:
  """Returns all phrases and names of training texts, for a vocabulary."""
  words = words or WORDS
  names = [name for trained, _ in words.names for name in trained]
  phrases = [
    phrase.format("something", "something")
    for trained, _ in words.phrases
    for phrase in trained
  ]
  return [*phrases, *names, *COLORS]


def held_out(kind: str, words: Words | None = None) -> list[list[str]]:
  """Returns texts of every template that training never draws.

  Args:
    kind: 'paraphrase': other phrases, about 'object' and 'thing'; 'name': the
      template with every held-out name in all its places.
    words: of which templates; by default of `templates`.
  """
  checks.one_of("kind", kind, KINDS)
  phrases, names = words or WORDS
  if kind == "paraphrase":
    return [[x.format("object", "thing") for x in kept] for _, kept in phrases]
  names = [name for _, kept in names for name in kept]
  return [[trained[0].format(x, x) for x in names] for trained, _ in phrases]


def held_out_texts(
  kind: str, nouns, index: int = 0, words: Words | None = None
) -> list[str]:
  """Returns C texts, one per template, for clips with these `nouns`.

  Args:
    kind: 'paraphrase': a held-out phrase with the captions' names; 'name': the
      template with held-out names.
    nouns: two indices into the nouns of `words`.
    index: which of the held-out phrases or names.
    words: of which templates; by default of `templates`.
  """
  checks.one_of("kind", kind, KINDS)
  phrases, known = words or WORDS
  if kind == "paraphrase":
    names = [known[int(noun)][0][0] for noun in nouns]
    return [kept[index % len(kept)].format(*names) for _, kept in phrases]
  names = [known[int(noun)][1] for noun in nouns]
  names = [kept[index % len(kept)] for kept in names]
  return [trained[0].format(*names) for trained, _ in phrases]


def _phrases(name, listed):
  """Training and held-out phrases of one template, the template first."""
  _, _, rest = listed.partition(f"\n{name}\n")
  if not rest:
    raise ValueError(f"no phrases for template {name!r}")
  block = re.split(r"\n(?! )", rest)[0]
  trained, _, kept = block.partition("*")
  numbers = iter("010")  # A third place names the first thing again.
  own = re.sub("something", lambda _: f"{{{next(numbers)}}}", name.lower())
  return [own, *_items(trained)], _items(kept)


def _names(line):
  """Training and held-out names of one noun, the caption's first."""
  name, _, rest = line.partition(":")
  trained, _, kept = rest.partition("*")
  return [name, *_items(trained), *human_phrases.GENERIC], _items(kept)


def _items(listed):
  return [" ".join(item.split()) for item in listed.split(";") if item.strip()]


def _words(texts, data):
  """The words of templates `texts` in a module of phrases and names."""
  names = map(_names, data.NAMES.strip().splitlines())
  return Words(tuple(_phrases(x, data.PHRASES) for x in texts), tuple(names))


WORDS = _words(templates.TEMPLATES, human_phrases)
_ACT_WORDS = _words(acts.TEMPLATES, act_phrases)
# Of the templates and nouns of `people`.
ALL_WORDS = Words(*(a + b for a, b in zip(WORDS, _ACT_WORDS, strict=True)))


def _failing(phrases):
  """What is said where a template was tried in vain."""
  (template, imperative, *_), _ = phrases
  return [f"failing at {template}", f"failing to {imperative}"], []


_NOTHING = ["doing nothing with {0}", "nothing happens to the {0}"], []
# Of the templates; of failing at each; of doing nothing.
OUTCOME_WORDS = Words(
  (*WORDS.phrases, *map(_failing, WORDS.phrases), _NOTHING), WORDS.names
)


def _filled(items, length, padding=""):
  return [*items, *[padding] * (length - len(items))]


def _ids(tokenizer, texts):
  """Ids of texts nested in lists, -1 after the end of each."""
  texts = np.array(texts)
  input_ids, mask = tokenizer(texts.ravel().tolist(), 64)
  ids = np.where(mask, input_ids, -1)[:, 1 : mask.sum(-1).max()]
  return jnp.array(ids.reshape(*texts.shape, -1))


def _join(tables, parts):
  """All ids of `parts` that are not -1, in order, cut or padded to L."""
  ids = jnp.concatenate([tables.begin, *parts])
  ids = ids[jnp.argsort(ids < 0, stable=True)][: tables.max_length]
  ids = jnp.pad(ids, (0, tables.max_length - ids.shape[0]), constant_values=-1)
  mask = (ids >= 0).astype(jnp.int32)
  return jnp.where(ids >= 0, ids, tables.pad).astype(jnp.int32), mask

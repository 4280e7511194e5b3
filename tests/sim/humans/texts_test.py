import re

import jax
import numpy as np
import pytest

from a2r.core import text
from a2r.sim.humans import people, templates
from a2r.sim.humans import texts as human_texts
from a2r.sim.tabletop import tasks

NUM_TEMPLATES = len(templates.TEMPLATES)
LENGTH = 24


# All calls with equal tables share a program.
_draw = jax.jit(jax.vmap(human_texts.draw, in_axes=(None, 0, 0, 0, None)))


def _words(texts):
  return {word for one in texts for word in text.pre_text(one).split()}


@pytest.fixture(scope="module")
def tokenizer():
  return text.Tokenizer.train(human_texts.corpus(), vocab_size=600)


@pytest.fixture(scope="module")
def drawn(tokenizer):
  """Many texts of every template: labels, ids and masks."""
  labels = np.tile(np.arange(NUM_TEMPLATES), 50)
  nouns = np.random.default_rng(0).integers(
    len(templates.NOUNS), size=(len(labels), 2)
  )
  tables = human_texts.make_tables(tokenizer, LENGTH)
  red = human_texts.COLORS.index("red")
  rngs = jax.random.split(jax.random.key(0), len(labels))
  ids, mask = _draw(tables, rngs, labels, nouns, red)
  return labels, np.asarray(ids), np.asarray(mask)


def test_every_template_and_noun_has_training_and_held_out_texts():
  seen = set()
  phrases, names = human_texts.ALL_WORDS
  for label, (trained, kept) in zip(people.TEMPLATES, phrases, strict=True):
    assert trained[0].format("something", "something") == label.lower()
    assert len(trained) >= 5 and len(kept) >= 2
    assert not seen & {*trained, *kept}
    seen |= {*trained, *kept}
    places = sorted(set(re.findall(r"\{.\}", trained[0])))
    assert len(set(trained + kept)) == len(trained + kept)
    for phrase in trained + kept:
      assert sorted(set(re.findall(r"\{.\}", phrase))) == places
  for noun, (trained, kept) in zip(people.NOUNS, names, strict=True):
    assert trained[0] == noun
    assert len(trained) >= 5 and len(kept) >= 2


def test_held_out_phrases_have_known_words_and_names_unknown_ones():
  for words in (human_texts.WORDS, human_texts.ALL_WORDS):
    known = _words(human_texts.corpus(words))
    for texts in human_texts.held_out("paraphrase", words):
      assert _words(texts) <= known
    for _, kept in words.names:
      assert not _words(kept) & known
  known = _words(human_texts.corpus())
  assert _words(task.instruction for task in tasks.TASKS.values()) <= known


def test_no_word_is_cut_and_no_letter_unknown(tokenizer):
  words = sorted(_words(human_texts.corpus()))
  assert (tokenizer(words, 8)[1].sum(-1) == 2).all()
  unknown = text.SPECIAL.index(text.UNKNOWN)
  for kind in human_texts.KINDS:
    texts = [x for row in human_texts.held_out(kind) for x in row]
    ids, mask = tokenizer(texts, 64)
    assert mask.sum(-1).max() <= LENGTH
    assert not (ids == unknown).any()


def test_drawn_texts_fit_and_belong_to_their_template(tokenizer, drawn):
  labels, ids, mask = drawn
  assert mask.sum(-1).max() < LENGTH
  plain = [template.lower() for template in templates.TEMPLATES]
  spelled = dict(
    zip(map(tuple, tokenizer(plain, LENGTH)[0]), plain, strict=True)
  )
  shares = np.mean([tuple(row) in spelled for row in ids])
  assert 0.25 < shares < 0.37
  for label, row in zip(labels, ids, strict=True):
    found = spelled.get(tuple(row))
    assert found in (None, plain[label])


def _ids_of_one_clip(tables, label, nouns):
  """Many texts of a template and two nouns, the first of them red."""
  num = 50 * NUM_TEMPLATES
  rngs = jax.random.split(jax.random.key(1), num)
  clips = np.full(num, label), np.tile(nouns, (num, 1))
  red = human_texts.COLORS.index("red")
  return np.asarray(_draw(tables, rngs, *clips, red)[0])


def test_the_robots_instructions_are_drawn(tokenizer):
  cup = templates.NOUNS.index("cup")
  label = templates.TEMPLATES.index("Pushing something from left to right")
  tables = human_texts.make_tables(tokenizer, LENGTH)
  ids = _ids_of_one_clip(tables, label, [cup, 0])
  for wanted in (
    "pushing cup from left to right",
    "pushing red cup from left to right",
    "push the mug to the right",
  ):
    row = tokenizer([wanted], LENGTH)[0]
    assert (ids == row).all(-1).any(), wanted


def test_texts_of_three_places_are_drawn_whole():
  words = human_texts.ALL_WORDS
  tokenizer = text.Tokenizer.train(human_texts.corpus(words), vocab_size=800)
  tables = human_texts.make_tables(tokenizer, LENGTH, words)
  label = people.TEMPLATES.index(
    "Failing to put something into something because something does not fit"
  )
  ball, box = map(people.NOUNS.index, ("ball", "box"))
  ids = _ids_of_one_clip(tables, label, [ball, box])
  for noun in ("ball", "something"):
    other = "box" if noun == "ball" else noun
    wanted = f"failing to put {noun} into {other} because {noun} does not fit"
    row = tokenizer([wanted], LENGTH)[0]
    assert (ids == row).all(-1).any(), wanted


def test_held_out_texts_name_what_is_in_the_clip():
  drawer = templates.NOUNS.index("drawer")
  label = templates.TEMPLATES.index("Closing something")
  texts = human_texts.held_out_texts("name", [drawer, 0])
  assert len(texts) == NUM_TEMPLATES
  assert texts[label] == "closing locker"
  texts = human_texts.held_out_texts("paraphrase", [drawer, 0], index=1)
  assert texts[label] == "closing the open drawer"
  with pytest.raises(ValueError, match="paraphrase"):
    human_texts.held_out("noun")


def test_failures_have_words_of_their_own():
  phrases, _ = human_texts.OUTCOME_WORDS
  closing = templates.TEMPLATES.index("Closing something")
  trained, kept = phrases[NUM_TEMPLATES + closing]
  assert trained == ["failing at closing {0}", "failing to close the {0}"]
  assert not kept and len(phrases) == 2 * NUM_TEMPLATES + 1
  # The same words as a reward asks for.
  assert text.failing("close the {0}") == trained[1]

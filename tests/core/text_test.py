"""Token ids against the published tokenizer; vocabularies that repeat."""

import json
import pathlib
import re

import numpy as np
import pytest

from a2r.core import text

CORPUS = [
  "Pushing something from left to right",
  "Pulling something from right to left",
  "Poking something so lightly that it doesn't or almost doesn't move",
  "Closing something",
]


def test_ids_equal_published_tokenizer():
  folder = pathlib.Path(__file__).parents[1] / "golden"
  golden = json.loads((folder / "tokenizer_cases.json").read_text("utf-8"))
  cases = golden["cases"]
  tokenizer = text.Tokenizer.from_vocab(golden["vocab"])
  raw = [case["raw"] for case in cases]
  input_ids, mask = tokenizer(raw, golden["max_length"])
  assert input_ids.dtype == mask.dtype == np.int32
  assert [text.pre_text(r) for r in raw] == [c["pre_text"] for c in cases]
  np.testing.assert_array_equal(input_ids, [c["input_ids"] for c in cases])
  np.testing.assert_array_equal(mask, [c["attention_mask"] for c in cases])


def test_trained_tokenizer_knows_every_word_of_its_corpus(tmp_path):
  tokenizer = text.Tokenizer.train(CORPUS, vocab_size=500)
  input_ids, mask = tokenizer(CORPUS, 20)
  # One piece per word and [CLS]; 1 is [UNK].
  words = [len(text.pre_text(t).split()) for t in CORPUS]
  np.testing.assert_array_equal(mask.sum(axis=1), np.array(words) + 1)
  assert (input_ids != 1).all() and tokenizer.vocab_size < 500
  tokenizer.save(tmp_path / "tokenizer.json")
  loaded = text.Tokenizer.load(tmp_path / "tokenizer.json")
  np.testing.assert_array_equal(loaded(CORPUS, 20)[0], input_ids)
  # A new word of known letters is spelled, one of new letters is unknown.
  ids = loaded(["push qqq"], 8)[0][0]
  assert ids[1] != 1 and 1 in ids


@pytest.mark.parametrize("vocab_size", [60, 100])
def test_vocabulary_depends_on_neither_run_nor_order(vocab_size, tmp_path):
  files = []
  for i, corpus in enumerate((CORPUS, CORPUS[::-1])):
    path = tmp_path / f"{i}.json"
    text.Tokenizer.train(iter(corpus), vocab_size=vocab_size).save(path)
    files.append(path.read_text("utf-8"))
  assert files[0] == files[1]


@pytest.mark.parametrize(
  "said, mirrored",
  [
    ("pulling a cup from left to right", "pulling a cup from right to left"),
    ("Left of it, to the RIGHT", "Right of it, to the LEFT"),
    ("the leftmost of them, leftwards", "the rightmost of them, rightwards"),
    ("on the right-hand side", "on the left-hand side"),
    ("push_left, righthand", "push_right, lefthand"),
    ("turn the knob clockwise", "turn the knob counterclockwise"),
    ("Counterclockwise, CCW", "Clockwise, CW"),
    ("putting a bottle upright", None),
    ("cutting a cake clockworkwise", None),
    ("bright cleft, outright leftovers", None),
    ("", None),
  ],
)
def test_mirror_swaps_directions(said, mirrored):
  assert text.has_direction(said) == (mirrored is not None)
  assert text.mirror(said) == (mirrored or said)
  assert text.mirror(text.mirror(said)) == said


def test_directions_of_many_spellings():
  for said in (
    "anti-clockwise", "Counter-clock wise", "anticlockwise", "ACW",
    "counter\u2011clockwise", "anti \u2013 clockwise", "Contra-clockwise",
  ):  # fmt: skip
    assert text.has_direction(said)
    assert text.mirror(said).lower() in ("clockwise", "cw")
  for said in (
    "to 3 o'clock, left", "at six o\u2019clock", "by -90 degrees",
    "by minus 90 degrees", "push it \u2190", "\u5411\u5de6\u63a8",
    "\u0432\u043b\u0435\u0432\u043e",
  ):  # fmt: skip
    assert text.has_direction(said) and text.mirror(said) is None
  for said in (
    "schlie\u00dfe die linke T\u00fcr", "duw_naar_rechts", "im Uhrzeigersinn",
    "pousser \u00e0 gauche", "tourner dans le sens antihoraire", "a la Derecha",
    "gira en sentido antihorario", "a sinistra", "para a esquerda",
  ):  # fmt: skip
    assert text.has_direction(said) and text.mirror(said) is None, said
  assert not text.has_direction("link the two chairs, rectangle, oratorio")
  assert text.mirror("on the LHS") == "on the RHS"
  assert not text.has_direction("fermer \u00e0 moiti\u00e9, 5 \u00d7 3")
  assert not text.has_direction("by 90 degrees, 5-10 degrees")


def test_errors_say_what_is_wrong(tmp_path):
  with pytest.raises(ValueError, match="vocab_size 10 is too small"):
    text.Tokenizer.train(CORPUS, vocab_size=10)
  with pytest.raises(ValueError, match=r"lacks \['\[CLS\]'"):
    text.Tokenizer.from_vocab(["[PAD]", "[UNK]", "a"])
  tokenizer = text.Tokenizer.train(CORPUS, vocab_size=100)
  with pytest.raises(TypeError, match="a list of strings"):
    tokenizer("pushing", 5)
  path = tmp_path / "tokenizer.json"
  path.write_text("{}")
  with pytest.raises(ValueError, match="not a tokenizer file"):
    text.Tokenizer.load(path)


@pytest.mark.parametrize(
  "unread",
  [
    "\u5173\u62bd\u5c49",
    "\u0623\u063a\u0644\u0642",
    "\U0001f916",
    "..",
    "\u200b",
  ],
)
def test_a_text_of_which_nothing_can_be_read_is_an_error(unread, caplog):
  tokenizer = text.Tokenizer.train(CORPUS, vocab_size=100)
  with pytest.raises(ValueError, match=re.escape(repr(unread))):
    tokenizer.check(["closing", unread])
  # Of its own texts it knows every letter.
  own = text.Tokenizer.train([f"closing {unread}"], vocab_size=100)
  own.check([f"closing {unread}"])
  assert not caplog.records


def test_words_that_cannot_be_read_are_told_in_one_note(caplog):
  tokenizer = text.Tokenizer.train(CORPUS, vocab_size=100)
  tokenizer.check(["closing", "Close \u62bd\u5c49!", "push \U0001f916"])
  (record,) = caplog.records
  for part in ("'\u62bd', '\u5c49'", "'Close \u62bd\u5c49!'", "1 more"):
    assert part in record.getMessage()


def test_of_a_file_the_vocabulary_alone_counts(tmp_path):
  tokenizer = text.Tokenizer.train(CORPUS, vocab_size=100)
  path = tmp_path / "tokenizer.json"
  tokenizer.save(path)
  plain = json.loads(path.read_text("utf-8"))
  # To fill each text up to this length would take tens of gigabytes.
  padding = {
    "strategy": {"Fixed": 2_000_000_000}, "direction": "Right", "pad_id": 0,
    "pad_to_multiple_of": None, "pad_type_id": 0, "pad_token": "[PAD]",
  }  # fmt: skip
  slow = {"type": "Split", "pattern": {"Regex": "(a+)+b"}}
  content = json.dumps(plain | {"padding": padding, "pre_tokenizer": slow})
  other = text.Tokenizer.from_json(content, "a")
  for ours, theirs in zip(tokenizer(CORPUS, 8), other(CORPUS, 8), strict=True):
    np.testing.assert_array_equal(ours, theirs)
  other.save(tmp_path / "again.json")
  assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  "model",
  [
    None,
    {"vocab": 3},
    {"vocab": {"a": 0}},
    {"vocab": dict.fromkeys(text.SPECIAL, "x")},
    {"vocab": dict.fromkeys(text.SPECIAL, -1)},
    {"vocab": dict.fromkeys(text.SPECIAL, 1 << 70)},
    {"type": "BPE", "vocab": dict.fromkeys(text.SPECIAL, 0)},
  ],
)
def test_a_file_of_another_kind_is_named(model):
  with pytest.raises(ValueError, match="a.json is not a tokenizer file"):
    text.Tokenizer.from_json(json.dumps({"model": model}), "a.json")


@pytest.mark.parametrize(
  ("asked", "expected"),
  [
    ("closing drawer", 0),
    ("Closing the drawer!", 0),
    ("close drawer", 0),
    ("put a cup on the table", 1),
    ("run", 2),
    ("poking cup", 3),
    ("cut rope", None),  # Twice there.
    ("closing box", None),
    ("drawer closing", None),
    ("the", None),
    ("closed drawer", None),
  ],
)
def test_a_text_is_read_as_a_known_instruction(asked, expected):
  known = ["closing drawer", "putting cup on table", "running", "poke the cup"]
  known += ["cutting rope", "cuting rope"]
  assert text.find_instruction(asked, known) == expected


def test_failing_is_said_of_a_verb_or_of_its_ing_form():
  for instruction, expected in (
    ("close the drawer", "failing to close the drawer"),
    ("Closing drawer", "failing at Closing drawer"),
    ("bring the cup", "failing to bring the cup"),
  ):
    assert text.failing(instruction) == expected


def test_words_of_one_piece_are_known():
  tokenizer = text.Tokenizer.train(["failing to open"] * 9, vocab_size=60)
  assert tokenizer.has_word("failing") and not tokenizer.has_word("closing")

"""What ships, and what is said of weights that are not there."""

import json

import pytest

from a2r.core import text
from a2r.runs import weights


def test_berts_vocabulary_ships():
  path = weights.shipped_vocabulary()
  words = path.read_text(encoding="utf-8").split("\n")
  assert (len(words), words[-1]) == (30523, "")
  places = [words.index(word) for word in text.SPECIAL]
  assert places == [0, 100, 101, 102, 103]
  tokenizer = text.Tokenizer.from_vocab(words[:-1])
  ids, mask = tokenizer(["Closing the drawer!"], 6)
  pieces = [words[i] for i in ids[0][mask[0] == 1]]
  assert pieces == ["[CLS]", "closing", "the", "drawer"]


def test_weights_that_are_not_there(tmp_path, monkeypatch):
  path = tmp_path / "mine.safetensors"
  with pytest.raises(FileNotFoundError, match="mine.*expected is a folder of"):
    weights.load(path)
  monkeypatch.setattr(weights, "shipped_backbone", lambda: path)
  with pytest.raises(FileNotFoundError, match="make it .*configs/pretrain.py"):
    weights.load(path)


@pytest.mark.parametrize("content", ["{", json.dumps([1])])
def test_settings_that_are_none_are_one_line(tmp_path, content):
  (tmp_path / "config.json").write_text(content)
  with pytest.raises(ValueError, match="config.json is not"):
    weights.load(tmp_path)

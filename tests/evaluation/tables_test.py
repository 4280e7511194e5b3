"""One table in two forms."""

import numpy as np
import pytest

from a2r.evaluation import tables

TABLE = tables.Table("A < B", ["name", "n"], [["a", 1.0], ["<b>", None]])


def test_text_is_aligned():
  assert TABLE.text() == (
    "A < B\nname     n\n----  ----\na     1.00\n<b>      -"
  )
  assert tables.Table("", ["a", "b"], []).text() == "a  b\n-  -"


def test_markdown():
  assert TABLE.markdown() == (
    "A < B\n\n| name | n |\n| --- | --- |\n| a | 1.00 |\n| <b> | - |"
  )
  assert TABLE._replace(title="").markdown().startswith("| name")


def test_row_of_other_length():
  with pytest.raises(ValueError, match="'T'.* 2 cells"):
    tables.Table("T", ["a", "b"], [[1]]).text()


def test_cells():
  cells = [None, 0.126, 3, "", "a", np.float64(0.5)]
  texts = ["-", "0.13", "3", "-", "a", "0.50"]
  assert list(map(tables.format_cell, cells)) == texts

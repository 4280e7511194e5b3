"""Values in Markdown: what they say is shown, and does nothing."""

import re

import markdown_it
import pytest

from a2r.core import checks, templates

_PARSER = markdown_it.MarkdownIt().enable(["table", "strikethrough"])
TEXTS = [
  "closing drawer",
  "<b>a</b> &amp; c",
  "a | b",
  "*a* _b_ ~~c~~ $d$ [e](f) ![g](h) \\",
  "``a`` ` b",
  "`",
  "https://a.example, www.b.example, c@d.example",
  "# a",
]


def _shown(markdown):
  """The text of a paragraph that has nothing but text and code."""
  _, inline, _ = _PARSER.parse(markdown)
  return _text(inline)


def _text(inline):
  kinds = {child.type for child in inline.children}
  assert kinds <= {"text", "code_inline", "text_special"}
  return "".join(child.content for child in inline.children)


@pytest.mark.parametrize("text", TEXTS)
def test_prose_and_code_show_their_text(text):
  prose, code = templates.prose(text), templates.code(text)
  assert _shown(f"It says {prose}") == f"It says {text}"
  assert not re.search(r"(?<!\\)://|www\.|@", prose)  # No links as they stand.
  if "|" not in text:  # Escaped for tables.
    assert _shown(f"It says {code}") == f"It says {text}"
  table = f"| a | b |\n| - | - |\n| {prose} | {code} |\n"
  tokens = _PARSER.parse(table)
  cells = [token for token in tokens if token.type == "inline"]
  assert [_text(cell) for cell in cells] == ["a", "b", text, text]


def test_plain_words_stay_as_they_are():
  for text in ("closing drawer", "tabletop/train", "a, b; c (d): 1-2 0.9!"):
    assert templates.prose(text) == text


def test_a_block_ends_where_it_should():
  text = "a\n```\n````` b\n</details>\n"
  (token,) = markdown_it.MarkdownIt().parse(templates.block(text, "bash"))
  assert (token.type, token.info, token.content) == ("fence", "bash", text)


def test_what_is_printed_only_shows():
  assert checks.printable("a\n\tb") == "a b"
  assert checks.printable("a  b\u00a0: c\u2028\u3000d") == "a  b : c d"
  assert checks.printable("\x1b[31m\u202e\ud800\u00fc") == (
    r"\x1b[31m\u202e\ud800" + "\u00fc"
  )

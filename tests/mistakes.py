"""What every table of mistakes asks for: one line that names what is wrong."""

import pytest


def check(call, error: type[Exception], names: str):
  """Asserts that `call()` raises an error of one line with all `names`.

  Names are parted by spaces; those in parentheses or brackets may have spaces
  of their own, behind commas.
  """
  with pytest.raises(error) as caught:
    call()
  check_line(str(caught.value), names)


def check_line(message: str, names: str):
  """Asserts the same of a message."""
  assert "\n" not in message.strip()
  for name in names.replace(", ", ",").split():
    assert name in message.replace(", ", ","), message

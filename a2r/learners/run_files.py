"""How a method reads texts, in training and from its run folder."""

from collections.abc import Callable, Container, Mapping, Sequence

import jax
import numpy as np

from a2r.core import text as text_lib
from a2r.models import adapt2reward as net
from a2r.models import saved, scorer


def make_text_fn(
  model: net.Adapt2Reward, run: saved.Run
) -> Callable[[Sequence[str]], np.ndarray]:
  """Returns `texts -> [L, E]` unit features by a run's text tower.

  A text that differs from one of the run's instructions in articles and the
  verb's form alone is read as that; another of which nothing can be read is a
  ValueError.

  Args:
    model: the module that the run's parameters are of.
    run: in training or read from its folder.
  """
  known = run.spec["instructions"]
  encode = scorer.make_text_fn(model, jax.device_put(run.params), run.tokenizer)

  def text_fn(texts):
    texts = [text_lib.read_as(text, known) for text in texts]
    run.tokenizer.check([text for text in texts if text not in known])
    return encode(texts)

  return text_fn


def find_label(
  text: str, readings: Mapping[str, str], labels: Container[str], what: str
) -> str:
  """Returns the label that a text is read as.

  Args:
    text: any.
    readings: text -> label; other texts are read as one of these if they differ
      in articles and the verb's form alone.
    labels: those that the method knows.
    what: what it knows them by, for the error.

  Raises:
    KeyError: the text is of no such label; lists those that are.
  """
  row = text_lib.find_instruction(text, list(readings))
  label = None if row is None else list(readings.values())[row]
  if label not in labels:
    raise KeyError(
      f"{text!r} is of no {what}; texts that are: "
      + ", ".join(repr(t) for t, name in readings.items() if name in labels)
    )
  return label

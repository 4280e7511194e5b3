"""What a method finds in its run folder when it becomes a scorer."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from a2r.core import text as text_lib
from a2r.learners import encoding
from a2r.models import saved, scorer
from a2r.models.singularity import singularity

DEMOS_FILE = "demos.npz"


def text_fn(run: saved.Run) -> Callable[[Sequence[str]], np.ndarray]:
  """Returns features of texts by a run's text tower, see `make_text_fn`."""
  return make_text_fn(
    run.config,
    run.params["backbone"],
    run.tokenizer,
    run.spec["instructions"],
  )


def make_text_fn(
  config: singularity.Config,
  backbone: Any,
  tokenizer: text_lib.Tokenizer,
  known: Sequence[str],
) -> Callable[[Sequence[str]], np.ndarray]:
  """Returns `texts -> [L, E]` unit features of the backbone's text tower.

  Args:
    config: of the backbone.
    backbone: its parameters.
    tokenizer: the one it was trained with.
    known: the run's instructions; a text that differs from one of them in
      articles and the verb's form alone is read as that.
  """
  encode = scorer.make_text_fn(
    encoding.plain_model(config),
    jax.device_put({"backbone": backbone}),
    tokenizer,
  )
  return lambda texts: encode([text_lib.read_as(t, known) for t in texts])

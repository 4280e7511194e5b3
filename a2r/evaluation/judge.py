"""A scorer of any method, as what an evaluation scores clips with.

Letters: N clips, T frames, L instructions.
"""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from a2r import reward
from a2r.core import text as text_lib
from a2r.learners import registry
from a2r.models import saved
from a2r.models import scorer as scorer_lib

FORM = "score"


class Judge:
  """What `evaluate.evaluate_run` asks of a model; it has one form, 'score'."""

  form = FORM
  prompted_instructions = ()

  def __init__(
    self,
    scorer: scorer_lib.Scorer,
    instructions: Sequence[str],
    num_trained: int = 0,
    readings: Mapping[str, str] | None = None,
  ):
    """Wraps a scorer.

    Args:
      scorer: gives the scores.
      instructions: the texts that are known to the run, those with robot data
        first.
      num_trained: how many it was trained on with robot data.
      readings: other texts that the scorer knows, and the instructions too, to
        the label of each; instructions of one label are one.
    """
    self._readings = dict(readings or {})
    self.scorer = scorer
    self.instructions = list(instructions)
    self.trained_instructions = self.instructions[:num_trained]

  @property
  def num_frames(self) -> int:
    """Frames of a clip that the scorer looks at."""
    return self.scorer.num_frames

  def read(self, instruction: str) -> str:
    """The known instruction that `instruction` is read as, or itself."""
    index = text_lib.find_instruction(instruction, self.instructions)
    if index is None:
      index = self._find_label(instruction)
    return instruction if index is None else self.instructions[index]

  def _find_label(self, instruction: str) -> int | None:
    """Position of the instruction that has the same label, or None."""
    index = text_lib.find_instruction(instruction, list(self._readings))
    if index is None:
      return None
    label = list(self._readings.values())[index]
    labels = [self._readings.get(text) for text in self.instructions]
    return labels.index(label) if label in labels else None

  def form_scores(
    self, clips: np.ndarray, instructions: Sequence[str]
  ) -> dict[str, np.ndarray]:
    """`[N, L]` float32 scores of clips `[N, T, H, W, 3]` uint8."""
    return {FORM: scorer_lib.scores(self.scorer, clips, instructions)}


Model = reward.Reward | Judge


def load(folder: str | pathlib.Path, checkpoint: str = "best") -> Model:
  """What a run of any method has learned: a reward, or a judge.

  Args:
    folder: what `launch.train` or `Reward.save` wrote.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, or nothing saved in it yet.
    ValueError: the files are broken.
  """
  folder = pathlib.Path(folder).expanduser()
  if saved.find_method(folder) == "adapt2reward":
    return reward.load(folder, checkpoint)
  scorer = registry.load_scorer(folder, checkpoint)
  spec = saved.read_file(folder, saved.SPEC_FILE)
  return Judge(
    scorer,
    spec["instructions"],
    num_trained=spec["num_trained"],
    readings=spec.get("readings"),
  )

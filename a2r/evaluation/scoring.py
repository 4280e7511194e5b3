"""Loads what a run of any method has learned, and scores a clip in words.

Letters: N clips, T frames, L instructions.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from a2r import reward
from a2r.core import checks
from a2r.core import text as text_lib
from a2r.evaluation import tables
from a2r.learners import registry
from a2r.models import saved
from a2r.models import scorer as scorer_lib

FORM = "score"
_MEANING = {
  "cosine": "cosine of video and instruction, -1 to 1",
  "softmax": "probability among the known instructions and its failures",
  "own_failures": "probability against its failures",
  FORM: "the method's own score",
}


@dataclasses.dataclass(frozen=True)
class MethodReward:
  """What `evaluate.evaluate_run` asks of a model, for the scorer of any method.

  It has one form, 'score'.

  Attributes:
    scorer: gives the scores.
    instructions: the texts that are known to the run, those with robot data
      first.
    num_trained: how many of them it was trained on with robot data.
    instruction_to_label: the label of each text that the scorer knows, the
      instructions too; instructions of one label are one.
  """

  scorer: scorer_lib.Scorer
  instructions: Sequence[str]
  num_trained: int = 0
  instruction_to_label: Mapping[str, str] | None = None

  form = FORM
  prompted_instructions = ()

  @property
  def trained_instructions(self) -> Sequence[str]:
    """The instructions with robot data."""
    return self.instructions[: self.num_trained]

  @property
  def num_frames(self) -> int:
    """Frames of a clip that the scorer looks at."""
    return self.scorer.num_frames

  def read(self, instruction: str) -> str:
    """Returns the known instruction that a text is read as, or the text."""
    known = text_lib.read_as(instruction, self.instructions)
    labels = self.instruction_to_label or {}
    label = labels.get(text_lib.read_as(instruction, list(labels)))
    same = [text for text in self.instructions if labels.get(text) == label]
    if known in self.instructions or not label or not same:
      return known
    return same[0]

  def form_scores(
    self, clips: reward.Clips, instructions: Sequence[str]
  ) -> dict[str, np.ndarray]:
    """Returns `[N, L]` float32 scores of clips `[N, T, H, W, 3]` uint8."""
    return {FORM: scorer_lib.scores(self.scorer, clips, instructions)}


Model = reward.Reward | MethodReward


def load(folder: str | pathlib.Path, checkpoint: str = "best") -> Model:
  """Returns what a run of any method has learned.

  Args:
    folder: what `launch.train` or `Reward.save` wrote.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, or nothing saved in it yet.
    ValueError: the files are broken.
  """
  folder = checks.path(folder)
  if saved.find_method(folder) == "adapt2reward":
    return reward.load(folder, checkpoint)
  scorer = registry.load_scorer(folder, checkpoint)
  spec = saved.read_file(folder, saved.SPEC_FILE)
  return MethodReward(
    scorer, spec["instructions"], spec["num_trained"], spec.get("readings")
  )


def describe(model: Model, clip: np.ndarray, instruction: str) -> str:
  """Formats a clip's scores as text.

  Args:
    model: what `load` returns.
    clip: `[T, H, W, 3]` uint8.
    instruction: the user's text.
  """
  known = model.read(instruction)
  texts = list(dict.fromkeys([known, *model.instructions]))
  scores = {f: s[0] for f, s in model.form_scores(clip[None], texts).items()}
  rewards = scores[model.form]
  columns = {"reward": rewards}
  if "cosine" in scores:
    columns["cosine"] = scores["cosine"]
  rows = [
    [
      f"{'>' if i == 0 else ' '} {texts[i]}",
      *(float(column[i]) for column in columns.values()),
      "yes" if texts[i] in model.trained_instructions else "no",
    ]
    for i in np.argsort(-rewards, kind="stable")
  ]
  title = "All known instructions (> is the one asked for)"
  header = ["instruction", *columns, "robot data"]
  lines = [
    *_tell(model, instruction),
    f"Reward: {rewards[0]:.4f} ({_MEANING[model.form]})",
    "",
    tables.Table(title, header, rows).text(),
  ]
  if known in model.prompted_instructions:
    success, *failures = map(float, model.failure_modes(clip[None], known)[0])
    rows = [[f"failure mode {k}", share] for k, share in enumerate(failures, 1)]
    table = tables.Table(
      f"How {known!r} ended",
      ["outcome", "probability"],
      [["success", success], *rows],
    )
    lines += ["", table.text()]
  return "\n".join(lines)


def describe_all(
  model: Model,
  clips: Iterable[np.ndarray],
  names: Sequence[str],
  instruction: str,
) -> str:
  """Formats the scores of several clips as text.

  Args:
    model: what `load` returns.
    clips: `[T, H, W, 3]` uint8 each, read one after the other.
    names: of the clips; read when these have been.
    instruction: the user's text.
  """
  known = model.read(instruction)
  scores = model.form_scores(clips, [known])
  columns = {"reward": scores[model.form]}
  if "cosine" in scores:
    columns["cosine"] = scores["cosine"]
  columns = [[f"{value:.4f}" for value in x[:, 0]] for x in columns.values()]
  rows = list(zip(names, *columns, strict=True))
  header = ["video", "reward", "cosine"][: len(rows[0])]
  title = f"Rewards ({_MEANING[model.form]})"
  table = tables.Table(title, header, rows)
  return "\n".join([*_tell(model, instruction), "", table.text()])


def _tell(model: Model, instruction: str) -> list[str]:
  """An instruction, and what it is read as."""
  known = model.read(instruction)
  if known not in model.instructions:
    meaning = "not known to the run; scored as it stands"
  elif text_lib.pre_text(known) == text_lib.pre_text(instruction):
    meaning = "known to the run"
  else:
    meaning = f"read as: {checks.printable(known)}"
  return [f"Instruction: {instruction}", f"  {meaning}"]

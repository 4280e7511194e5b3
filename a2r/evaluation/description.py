"""What there is to say of one clip and one instruction, in words.

Letters: T frames.
"""

import numpy as np

from a2r.core import text
from a2r.evaluation import judge, tables

_MEANING = {
  "cosine": "cosine of video and instruction, -1 to 1",
  "softmax": "probability among the known instructions and its failures",
  "own_failures": "probability against its failures",
  judge.FORM: "the method's own score",
}


def describe(model: judge.Model, clip: np.ndarray, instruction: str) -> str:
  """What is printed of a clip.

  Args:
    model: the reward, or another method's.
    clip: `[T, H, W, 3]` uint8.
    instruction: the user's text.
  """
  known = model.read(instruction)
  texts = list(dict.fromkeys([known, *model.instructions]))
  scores = {f: s[0] for f, s in model.form_scores(clip[None], texts).items()}
  rewards = scores[model.form]
  return "\n".join(
    [
      f"Instruction: {instruction}",
      f"  {_reading(model, instruction, known)}",
      f"Reward: {rewards[0]:.4f} ({_MEANING[model.form]})",
      "",
      _known_table(model, texts, scores).text(),
      *_failure_lines(model, clip, known),
    ]
  )


def _reading(model, instruction: str, known: str) -> str:
  if known in model.instructions:
    same = text.pre_text(known) == text.pre_text(instruction)
    return "known to the run" if same else f"read as: {known}"
  return "not known to the run; scored as it stands"


def _known_table(model, texts, scores) -> tables.Table:
  """All rewards, highest first; the instruction asked for is marked."""
  rewards = scores[model.form]
  columns = {"reward": rewards}
  if "cosine" in scores:
    columns["cosine"] = scores["cosine"]
  trained = model.trained_instructions
  return tables.Table(
    "All known instructions (> is the one asked for)",
    ["instruction", *columns, "robot data"],
    [
      [
        f"{'>' if i == 0 else ' '} {texts[i]}",
        *(float(column[i]) for column in columns.values()),
        "yes" if texts[i] in trained else "no",
      ]
      for i in np.argsort(-rewards, kind="stable")
    ],
  )


def _failure_lines(model, clip, known: str) -> list[str]:
  if known not in model.prompted_instructions:
    return []
  modes = model.failure_modes(clip[None], known)[0]
  rows = [["success", float(modes[0])]]
  rows += [[f"failure mode {k}", float(p)] for k, p in enumerate(modes[1:], 1)]
  title = f"How {known!r} ended"
  table = tables.Table(title, ["outcome", "probability"], rows)
  return ["", table.text()]

"""Loads what a run of any method has learned, and scores a clip in words.

Letters: N clips, T frames, L instructions.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from a2r import reward
from a2r.core import checks
from a2r.core import text as text_lib
from a2r.evaluation import tables
from a2r.learners import registry
from a2r.models import familiarity, pretrained, saved
from a2r.models import scorer as scorer_lib

FORM = "score"
_MEANING = {
  "cosine": "cosine of video and instruction, -1 to 1",
  "softmax": "softmax among the known instructions and its failures, 0 to 1",
  "own_failures": "softmax against its failures, 0 to 1",
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
    folder: what `launch.train` or `Reward.save` wrote, or a backbone (see
      `reward.load`).
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, or nothing saved in it yet.
    ValueError: the files are broken.
  """
  if pretrained.is_one(folder):
    return reward.load(folder)
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
  asked = {known, *model.trained_instructions}
  order = np.argsort(-rewards, kind="stable")
  rows = [
    [
      f"{'>' if i == 0 else ' '} {texts[i]}",
      *(float(column[i]) for column in columns.values()),
    ]
    for i in order
    if texts[i] in asked
  ]
  title = "Instructions with robot clips (> is the one asked for)"
  lines = [
    *_tell(model, instruction),
    f"Reward: {rewards[0]:.4f} ({_MEANING[model.form]})",
  ]
  (row,) = score_rows(model, [clip], [""], instruction)
  if row.get("trust") and "probability" in row:
    lines += [
      f"Probability of success: {row['probability']:.2f} (calibrated on "
      "validation clips)"
    ]
  if "familiarity" in row:
    lines += [f"Familiarity: {row['familiarity']:.2f} ({_trust(row)})"]
  lines += ["", tables.Table(title, ["instruction", *columns], rows).text()]
  others = [i for i in order if texts[i] not in asked]
  if others:
    lines += [
      "",
      f"Of {len(others)} instructions of human clips the highest is "
      f"{texts[others[0]]!r}: {rewards[others[0]]:.2f}",
    ]
  if known in model.prompted_instructions:
    success, *failures = map(float, model.failure_modes(clip[None], known)[0])
    rows = [[f"failure mode {k}", share] for k, share in enumerate(failures, 1)]
    table = tables.Table(
      f"How {known!r} ended, as shares of a softmax",
      ["outcome", "share"],
      [["success", success], *rows],
    )
    lines += ["", table.text()]
  return "\n".join(lines)


def _trust(row: Mapping[str, Any]) -> str:
  """What a clip's familiarity means, in words."""
  if row["familiarity"] < familiarity.TRUSTED:
    return "unlike every robot clip it was trained on: do not trust this reward"
  if not row["trust"]:
    return "like its robot clips, but none of them is of this instruction"
  return "like the robot clips it was trained on"


def score_rows(
  model: Model,
  clips: Iterable[np.ndarray],
  names: Sequence[str],
  instruction: str,
) -> list[dict[str, Any]]:
  """Returns what is known of each clip, plain values by column.

  `video`, `instruction` and `reward`; of Adapt2Reward `cosine` too, and of runs
  that have their training clips on record `familiarity` and `trust`, and
  `probability` if it is calibrated (see `Reward.assess`).

  Args:
    model: what `load` returns.
    clips: `[T, H, W, 3]` uint8 each, read one after the other.
    names: of the clips; read when these have been.
    instruction: the user's text.
  """
  known, columns = model.read(instruction), {}
  clips = scorer_lib.check_clips(clips)
  if getattr(model, "can_assess", False) and model.instructions:
    parts = scorer_lib.encode_parts(model.scorer, clips)
    found = model.assess_features(parts, known)._asdict()
    columns["reward"] = found.pop("reward")
    columns["cosine"] = model.score_features(parts, known, "cosine")
    columns |= {k: v for k, v in found.items() if v is not None}
  else:
    scores = model.form_scores(clips, [known])
    columns["reward"] = scores[model.form][:, 0]
    if "cosine" in scores:
      columns["cosine"] = scores["cosine"][:, 0]
  return [
    {"video": name, "instruction": instruction}
    | {key: column[row].item() for key, column in columns.items()}
    for row, name in enumerate(names)
  ]


def describe_all(model: Model, rows: Sequence[Mapping[str, Any]]) -> str:
  """Formats `score_rows` as text.

  Args:
    model: what `load` returns.
    rows: what `score_rows` returned of it, at least one.
  """

  def show(value):
    if isinstance(value, bool):
      return "yes" if value else "NO"
    return f"{value:.4f}" if isinstance(value, float) else value

  header = [key for key in rows[0] if key != "instruction"]
  cells = [[show(row[key]) for key in header] for row in rows]
  title = f"Rewards ({_MEANING[model.form]})"
  lines = _tell(model, rows[0]["instruction"])
  lines += ["", tables.Table(title, header, cells).text()]
  strange = sum(not row.get("trust", True) for row in rows)
  if strange:
    lines += [
      "",
      f"{strange} of {len(rows)} are not to be trusted: unlike the robot clips "
      "it was trained on (familiarity below one half), or of another "
      "instruction",
    ]
  return "\n".join(lines)


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

"""The learned reward: how well does a video show an instruction?

  model = reward.load('runs/envgen')
  model.score(clips, 'close the drawer')   # uint8 [B, T, H, W, 3] -> [B]
  model.save('my_reward')                  # To share; `load` takes it too.
  reward.load('small_backbone')            # Zero-shot, for any text.

A run folder is what `launch.train` wrote. Clips may have any number of frames
and any size: the model's few frames are taken evenly, first and last included,
and resized to the model's picture. Neither TensorFlow nor MuJoCo is needed.

Wherever `clips` are asked for, they are an array `[B, T, H, W, 3]` uint8 RGB,
such as a `numpy.memmap`, or B clips `[T, H, W, 3]`, each of its own length and
size: a list, or a generator that reads one after the other. Whatever their
number, length and size, about 0.5 GB is asked for beside them.

In several processes: start them by 'spawn' or 'forkserver', not by 'fork', the
default on Linux before Python 3.14. A fork of a process that uses JAX would
wait forever; here it raises a RuntimeError. A loaded reward can be pickled, and
so be sent to them:

  spawn = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(2, spawn) as pool:
    pool.submit(model.score, clips, 'close the drawer')

PyTorch's DataLoader takes `multiprocessing_context='spawn'`.

An instruction is one of the known ones if it reads the same but for case,
punctuation, articles and the verb's -ing form; `Reward.read` tells, and the log
does once. Any other text is scored as it stands; the log says which of its
words the model's vocabulary lacks.

Letters: B clips, T frames, N instructions asked for, L known instructions, M
trained instructions (those with robot data, the first of the known ones), K
failure prompts per trained instruction, E embedding.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import NamedTuple

import numpy as np

from a2r.models import adapt2reward as net
from a2r.models import familiarity, pretrained
from a2r.models import saved as saved_lib
from a2r.models import scorer as scorer_lib

SPEC_FILE = saved_lib.SPEC_FILE
Clips = np.ndarray | Iterable[np.ndarray]


class Assessment(NamedTuple):
  """Rewards of B clips and what is known of their worth.

  Attributes:
    reward: `[B]` float32, what `Reward.score` returns.
    familiarity: `[B]` float32 in [0, 1], how near the clip is to the robot
      clips of training (`models/familiarity.py`); 0 for a backbone that was
      adapted to nothing.
    trust: `[B]` bool, whether it is at least one half and the instruction is
      one with robot clips.
    probability: `[B]` float32 of success, calibrated on the run's validation
      clips; None where it had none that could do so.
  """

  reward: np.ndarray
  familiarity: np.ndarray
  trust: np.ndarray
  probability: np.ndarray | None


class Reward:
  """A trained reward; `load` makes it."""

  def __init__(
    self,
    scorer: scorer_lib.Scorer,
    saved: saved_lib.SavedReward | None = None,
  ):
    """Wraps a scorer.

    Args:
      scorer: what gives the scores, see `scorer.adapt2reward`.
      saved: what it was made of; None if `load` did not make it.
    """
    self.scorer, self.saved = scorer, saved
    self._texts = scorer.context_fn

  def __reduce__(self):
    if self.saved is None:
      raise TypeError("only a reward that was loaded can be pickled")
    return _make, (self.saved,)

  @property
  def instructions(self) -> list[str]:
    """The L known instructions, the trained ones first."""
    return list(self._texts.known)

  @property
  def trained_instructions(self) -> list[str]:
    """The M instructions that the run has robot data of."""
    return list(self._texts.trained)

  @property
  def prompted_instructions(self) -> list[str]:
    """The instructions with trained failure prompts, all M or none."""
    return list(self._texts.prompted)

  @property
  def num_frames(self) -> int:
    """Frames of a clip that the model looks at."""
    return self.scorer.num_frames

  @property
  def form(self) -> str:
    """The form of the reward that `score` returns (`adapt2reward.FORMS`)."""
    return self.scorer.score_fn.form

  def read(self, instruction: str) -> str:
    """Returns the known instruction that a text is read as, or the text."""
    return self._texts.read(instruction)

  def score(
    self, clips: Clips, instructions: str | Sequence[str]
  ) -> np.ndarray:
    """Returns the reward of each clip for its instruction.

    Args:
      clips: `[B, T, H, W, 3]` uint8 RGB, any T, H and W; or B clips
        `[T, H, W, 3]`, see the top of this file.
      instructions: one text for all clips, or B texts.

    Returns:
      `[B]` float32; higher is better. In [-1, 1] for the form 'cosine', a
      share of a softmax, in [0, 1], for the others.

    Raises:
      ValueError: clips of another type or rank, an empty instruction, one of
        which the vocabulary reads nothing (of another script), or a number of
        instructions that is not B.
    """
    if isinstance(instructions, str):
      return self.scores(clips, [instructions])[:, 0]
    texts = list(instructions)
    if isinstance(clips, Sized):
      _check_number(len(clips), texts)
    unique = list(dict.fromkeys(texts))
    scores = self.scores(clips, unique)
    _check_number(len(scores), texts)
    column = [unique.index(text) for text in texts]
    return scores[np.arange(len(scores)), column]

  def scores(self, clips: Clips, instructions: Sequence[str]):
    """Returns `[B, N]` float32 rewards of every clip for every instruction."""
    return scorer_lib.scores(self.scorer, clips, instructions)

  def similarities(self, clips: Clips, instructions: Sequence[str]):
    """Returns `[B, N]` float32 cosines of clips and instructions."""
    return self.form_scores(clips, instructions)["cosine"]

  def form_scores(
    self, clips: Clips, instructions: Sequence[str]
  ) -> dict[str, np.ndarray]:
    """Returns `[B, N]` float32 rewards in every form, see `scores`."""
    scorer = self.scorer._replace(score_fn=scorer_lib.FormScore(None))
    scores = scorer_lib.scores(scorer, clips, instructions)
    return {form: scores[form] for form in net.FORMS}

  def assess(
    self, clips: Clips, instructions: str | Sequence[str]
  ) -> "Assessment":
    """Returns the reward of each clip, and whether to trust it.

    Args:
      clips: see `score`.
      instructions: one text for all clips, or B texts.

    Raises:
      ValueError: besides what `score` says, the run is of an older version and
        has no record of its training clips.
    """
    if not self.can_assess:
      raise ValueError(
        "no record of the clips that this reward was trained on, so nothing "
        "tells how familiar others are: train it anew"
      )
    parts = scorer_lib.encode_parts(self.scorer, clips)
    return self.assess_features(parts, instructions)

  @property
  def can_assess(self) -> bool:
    """Whether `assess` can tell: not for runs of older versions."""
    on_record = self.saved is not None and self.saved.familiarity is not None
    return on_record or not self.instructions

  def score_features(
    self,
    parts: Mapping[str, np.ndarray],
    instructions: str | Sequence[str],
    form: str | None = None,
  ) -> np.ndarray:
    """Returns `[B]` what `score` does, of what `scorer.encode_parts` made.

    Args:
      parts: of B clips.
      instructions: one text for all clips, or B texts.
      form: another one than the reward's own.
    """
    num = len(parts["video"])
    texts = [instructions] * num
    if not isinstance(instructions, str):
      texts = list(instructions)
    _check_number(num, texts)
    unique = list(dict.fromkeys(texts))
    scorer = self.scorer
    if form is not None:
      scorer = scorer._replace(score_fn=scorer_lib.FormScore(form))
    scores = scorer_lib.score_features(scorer, parts["video"], unique)
    return scores[np.arange(num), [unique.index(text) for text in texts]]

  def assess_features(
    self, parts: Mapping[str, np.ndarray], instructions: str | Sequence[str]
  ) -> "Assessment":
    """Returns what `assess` does, of what `scorer.encode_parts` made."""
    rewards = self.score_features(parts, instructions)
    near, probability = np.zeros(len(rewards), np.float32), None
    if self.saved and self.saved.familiarity is not None:
      near = familiarity.measure(self.saved.familiarity, parts)
    if self.saved and self.saved.calibration:
      probability = scorer_lib.probability(
        rewards, self.form, *self.saved.calibration
      ).astype(np.float32)
    if isinstance(instructions, str):
      instructions = [instructions] * len(rewards)
    known = [self.read(x) in self.trained_instructions for x in instructions]
    return Assessment(
      reward=rewards,
      familiarity=near,
      trust=(near >= familiarity.TRUSTED) & np.array(known),
      probability=probability,
    )

  def failure_modes(self, clips: Clips, instruction: str) -> np.ndarray:
    """Returns how likely each clip is a success, and each failure mode.

    Args:
      clips: see `score`.
      instruction: a trained instruction.

    Returns:
      `[B, 1 + K]` float32 probabilities: success, then each failure prompt.

    Raises:
      KeyError: the instruction is not a trained one.
    """
    if self.read(instruction) not in self._texts.prompted:
      why = "" if self._texts.prompted else ", none of them with prompts"
      raise KeyError(
        f"{instruction!r} has no failure prompts; trained instructions: "
        f"{self.trained_instructions}{why}"
      )
    scorer = self.scorer._replace(score_fn=scorer_lib.FailureModes())
    return scorer_lib.scores(scorer, clips, [instruction])

  def save(self, folder: str | pathlib.Path, *, dtype: str = "float32"):
    """Writes the reward as a folder to share, which `load` reads.

    It holds the weights (safetensors), the vocabulary, the sizes, and a model
    card from the run's own settings and report. An exported reward that is
    there already is replaced, all or nothing.

    Args:
      folder: its path.
      dtype: 'float32' (scores stay the same, bit for bit) or 'bfloat16'.

    Raises:
      FileExistsError: the folder holds something else.
      ValueError: another dtype, a reward that `load` did not make, or one that
        was adapted to nothing.
    """
    if self.saved is None:
      raise ValueError("only a reward that was loaded can be saved")
    if not self.saved.instructions:
      raise ValueError(
        "a backbone that was adapted to nothing is its own file: share that"
      )
    saved_lib.write(folder, self.saved, dtype=dtype)


def _check_number(num_clips: int, texts: Sequence[str]):
  if num_clips != len(texts):
    raise ValueError(
      f"got {num_clips} clips and {len(texts)} instructions; give one "
      "instruction, or one per clip"
    )


def load(folder: str | pathlib.Path, checkpoint: str = "best") -> Reward:
  """Returns the reward that a run trained, or that was exported from one.

  Args:
    folder: what `launch.train` or `Reward.save` wrote; or a backbone, to use
      it zero-shot: 'small_backbone' (which ships with the project), a file of
      `launch.pretrain`, or what `launch.convert` wrote.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, nothing saved in it yet, or a file is
      missing.
    ValueError: the files are broken or do not fit each other.
    RuntimeError: this process is a fork of one that uses JAX: start processes
      by `multiprocessing.get_context('spawn')`.
  """
  if pretrained.is_one(folder):
    return _make(pretrained.zero_shot(folder))
  return _make(saved_lib.load(folder, checkpoint))


def _make(saved: saved_lib.SavedReward) -> Reward:
  return Reward(scorer_lib.adapt2reward(saved), saved)

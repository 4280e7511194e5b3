"""The learned reward: how well does a video show an instruction?

  model = reward.load('runs/envgen')
  model.score(clips, 'close the drawer')   # uint8 [B, T, H, W, 3] -> [B]
  model.save('my_reward')                  # To share; `load` takes it too.

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
from collections.abc import Iterable, Sequence, Sized

import numpy as np

from a2r.models import adapt2reward as net
from a2r.models import saved as saved_lib
from a2r.models import scorer as scorer_lib

SPEC_FILE = saved_lib.SPEC_FILE
Clips = np.ndarray | Iterable[np.ndarray]


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
      probability for the others.

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
      ValueError: another dtype, or a reward that `load` did not make.
    """
    if self.saved is None:
      raise ValueError("only a reward that was loaded can be saved")
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
    folder: what `launch.train` or `Reward.save` wrote.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, nothing saved in it yet, or a file is
      missing.
    ValueError: the files are broken or do not fit each other.
    RuntimeError: this process is a fork of one that uses JAX: start processes
      by `multiprocessing.get_context('spawn')`.
  """
  return _make(saved_lib.load(folder, checkpoint))


def _make(saved: saved_lib.SavedReward) -> Reward:
  return Reward(scorer_lib.adapt2reward(saved), saved)

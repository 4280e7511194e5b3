"""The learned reward: how well does a video show an instruction?

  model = reward.load('runs/envgen')
  model.score(clips, 'close the drawer')   # uint8 [B, T, H, W, 3] -> [B]
  model.save('my_reward')                  # To share; `load` takes it too.

A run folder is what `launch.train` wrote. Clips may have any number of frames
and any size: the model's few frames are taken evenly, first and last included,
and resized to the model's picture. Neither TensorFlow nor MuJoCo is needed.

An instruction is one of the known ones if it reads the same but for case,
punctuation, articles and the verb's -ing form (`models/wording.py`);
`Reward.read` tells, and the log does once. Any other text is scored as it
stands.

Letters: B clips, T frames, N instructions asked for, L known instructions, M
trained instructions (those with robot data, the first of the known ones), K
failure prompts per trained instruction, E embedding.
"""

import functools
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from a2r.core import frames as frame_rule
from a2r.core import text as text_lib
from a2r.models import artifact, encoders, forms, wording
from a2r.models import trained as trained_lib

SPEC_FILE = trained_lib.SPEC_FILE
_BUCKETS = (1, 4, 16, 64)


class Reward:
  """A trained reward; `load` makes it.

  Programs are compiled for batches of 1, 4, 16 and 64 clips, when first met;
  a batch is padded to the next of these and a larger one cut into 64s. A
  picture size that is new compiles one small program more.
  """

  def __init__(
    self,
    model: encoders.Encoders,
    *,
    instructions: Sequence[str],
    num_trained: int,
    form: str,
    temperature: float,
    failure_prompts: bool = True,
    trained: trained_lib.Trained | None = None,
  ):
    """Wraps an encoder.

    Args:
      model: functions to features.
      instructions: L known instructions, the trained ones first.
      num_trained: M, how many of them have robot data.
      form: one of `forms.FORMS`, what `score` returns.
      temperature: that of training.
      failure_prompts: whether the failure prompts were trained; they have no
        part in anything otherwise.
      trained: what all this was made of, for `save`.
    """
    self._encoders = model
    self._instructions = tuple(instructions)
    self._num_trained = num_trained
    self._num_prompted = num_trained if failure_prompts else 0
    if form not in forms.FORMS:
      raise ValueError(f"unknown form {form!r}; known: {list(forms.FORMS)}")
    self._form = form
    self._temperature = float(temperature)
    self._trained = trained
    self._texts = functools.lru_cache(maxsize=64)(self._make_texts)
    self._known = functools.lru_cache(maxsize=1024)(self._read_and_tell)

  @property
  def instructions(self) -> list[str]:
    """The L known instructions, the trained ones first."""
    return list(self._instructions)

  @property
  def trained_instructions(self) -> list[str]:
    """The M instructions that the run has robot data of."""
    return list(self._instructions[: self._num_trained])

  @property
  def prompted_instructions(self) -> list[str]:
    """The instructions with trained failure prompts, all M or none."""
    return list(self._instructions[: self._num_prompted])

  @property
  def num_frames(self) -> int:
    """Frames of a clip that the model looks at."""
    return self._encoders.num_frames

  @property
  def form(self) -> str:
    """The form of the reward that `score` returns (see `models/forms.py`)."""
    return self._form

  @property
  def trained(self) -> trained_lib.Trained | None:
    """What the reward was made of; None if `load` did not make it."""
    return self._trained

  def read(self, instruction: str) -> str:
    """The known instruction that `instruction` is read as, or itself."""
    index = wording.find(instruction, self._instructions)
    return instruction if index is None else self._instructions[index]

  def score(
    self, clips: np.ndarray, instructions: str | Sequence[str]
  ) -> np.ndarray:
    """The reward of each clip for its instruction.

    Args:
      clips: `[B, T, H, W, 3]` uint8 RGB, any T, H and W.
      instructions: one text for all clips, or B texts.

    Returns:
      `[B]` float32; higher is better. In [-1, 1] for the form 'cosine', a
      probability for the others.

    Raises:
      ValueError: clips of another type or rank, an empty instruction, or a
        number of instructions that is not B.
    """
    if isinstance(instructions, str):
      return self.scores(clips, [instructions])[:, 0]
    texts = list(instructions)
    if len(texts) != len(clips):
      raise ValueError(
        f"got {len(clips)} clips and {len(texts)} instructions; give one "
        "instruction, or one per clip"
      )
    unique = list(dict.fromkeys(texts))
    scores = self.scores(clips, unique)
    column = [unique.index(text) for text in texts]
    return scores[np.arange(len(clips)), column]

  def scores(self, clips: np.ndarray, instructions: Sequence[str]):
    """`[B, N]` float32 rewards of every clip for every instruction."""
    return self.form_scores(clips, instructions)[self._form]

  def similarities(self, clips: np.ndarray, instructions: Sequence[str]):
    """`[B, N]` float32 cosine similarities of clips and instructions."""
    return self.form_scores(clips, instructions)["cosine"]

  def form_scores(
    self, clips: np.ndarray, instructions: Sequence[str]
  ) -> dict[str, np.ndarray]:
    """`[B, N]` float32 rewards in every form (see `models/forms.py`).

    Args:
      clips: `[B, T, H, W, 3]` uint8.
      instructions: N texts.
    """
    scores = self._apply(clips, _form_scores, self.texts(instructions))
    return {form: scores[form] for form in forms.FORMS}

  def texts(self, instructions: Sequence[str]) -> forms.Texts:
    """Features of N instructions and of what they compete with."""
    if isinstance(instructions, str):
      raise ValueError(f"expected a list of texts, got {instructions!r}")
    return self._texts(tuple(self._known(t) for t in instructions))

  def failure_modes(self, clips: np.ndarray, instruction: str) -> np.ndarray:
    """How likely each clip is a success, and each failure mode.

    Args:
      clips: `[B, T, H, W, 3]` uint8.
      instruction: a trained instruction.

    Returns:
      `[B, 1 + K]` float32 probabilities: success, then each failure prompt.

    Raises:
      KeyError: the instruction is not a trained one.
    """
    known = self._known(instruction)
    if known not in self.prompted_instructions:
      why = "" if self._num_prompted else ", none of them with failure prompts"
      raise KeyError(
        f"{instruction!r} has no failure prompts; trained instructions: "
        f"{self.trained_instructions}{why}"
      )
    texts = self._texts((known,))
    return self._apply(clips, _failure_modes, texts.text[0], texts.failure[0])

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
    if self._trained is None:
      raise ValueError("only a reward that was loaded can be saved")
    artifact.write(folder, self._trained, dtype=dtype)

  def _apply(self, clips, score_fn, *args):
    """`score_fn(features, *args, temperature)`, for chunks of all clips."""
    clips = encoders.check_clips(clips)
    index = frame_rule.frame_indices(
      clips.shape[1], self._encoders.num_frames, "ends"
    )
    bucket = next((b for b in _BUCKETS if len(clips) <= b), _BUCKETS[-1])
    parts = []
    for start in range(0, len(clips), bucket):
      chunk = clips[start : start + bucket, index]
      padding = [(0, bucket - len(chunk))] + [(0, 0)] * 4
      video = self._encoders.video(np.pad(chunk, padding))
      parts.append(jax.device_get(score_fn(video, *args, self._temperature)))
    return jax.tree.map(lambda *x: np.concatenate(x)[: len(clips)], *parts)

  def _read_and_tell(self, instruction: str) -> str:
    """`read`, which the log tells of where the words differ."""
    known = self.read(instruction)
    if text_lib.pre_text(known) != text_lib.pre_text(instruction):
      logging.info("instruction %r read as %r", instruction, known)
    return known

  @functools.cached_property
  def _known_features(self) -> tuple[np.ndarray, np.ndarray]:
    """`[L, E]` of the known instructions, `[M, K, E]` of their failures."""
    known = np.asarray(self._encoders.text(self.instructions))
    if not self._num_prompted:
      return known, np.zeros((1, 1, known.shape[-1]), known.dtype)
    failures = self._encoders.failure_text(self.trained_instructions)
    return known, np.asarray(failures)

  def _make_texts(self, asked: tuple[str, ...]) -> forms.Texts:
    """Features of the instructions asked for and of their competitors."""
    known, failures = self._known_features
    place = {text: i for i, text in enumerate(self._instructions)}
    index = np.array([place.get(text, -1) for text in asked])
    new = [text for text in asked if text not in place]
    text = known[index]
    if new:
      text[index < 0] = np.asarray(self._encoders.text(new))
    prompted = (index >= 0) & (index < self._num_prompted)
    return forms.Texts(
      text=jnp.asarray(text),
      known=jnp.asarray(known),
      index=jnp.asarray(index),
      failure=jnp.asarray(failures[np.where(prompted, index, 0)]),
      has_failure=jnp.asarray(prompted),
    )


@jax.jit
def _form_scores(video, texts, temperature):
  return {f: fn(video, texts, temperature) for f, fn in forms.FORMS.items()}


_failure_modes = jax.jit(forms.failure_modes)


def load(folder: str | pathlib.Path, checkpoint: str = "best") -> Reward:
  """The reward that a run trained, or that was exported from one.

  Args:
    folder: what `launch.train` or `Reward.save` wrote.
    checkpoint: which weights of a run, 'best' or 'newest'.

  Raises:
    FileNotFoundError: no such folder, nothing saved in it yet, or a file is
      missing.
    ValueError: the files are broken or do not fit each other.
  """
  folder = pathlib.Path(folder).expanduser()
  if artifact.is_one(folder):
    trained = artifact.read(folder)
  else:
    trained = trained_lib.read_run(folder, checkpoint)
  trained = trained._replace(params=jax.device_put(trained.params))
  model = trained_lib.make_model(trained, str(folder))
  return Reward(
    encoders.make_encoders(model, trained.params, trained.tokenizer),
    instructions=trained.instructions,
    num_trained=trained.num_trained,
    form=trained.form,
    temperature=trained.temperature,
    failure_prompts=trained.failure_prompts,
    trained=trained,
  )

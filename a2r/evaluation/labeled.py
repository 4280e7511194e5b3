"""Clips with labels: what an evaluation scores.

Letters: N clips, T frames.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

# Sources whose failures nearly succeed, and those that explore at random, as
# `a2r.sim.behavior.policies` has them.
NEAR_SOURCES = ("near_miss", "noise", "rl")
RANDOM_SOURCES = ("random", "explore")


@dataclasses.dataclass(frozen=True)
class LabeledClips:
  """Clips with what is known of them; every field has N entries.

  A text given for a field stands for all clips.

  Attributes:
    frames: `[N, T, H, W, 3]` uint8.
    success: `[N]` bool, true where the clip does its own task.
    source: `[N]` str, who acted: 'expert', 'near_miss', 'noise', 'rl',
      'random' or 'explore'; anything else of clips that were not simulated.
    task: `[N]` str, the name of the clip's task.
    instruction: `[N]` str, the task's instruction.
    environment: `[N]` str, such as 'tabletop/test1'.
    name: `[N]` str, such as a file name; '' for clips that nobody named.
  """

  frames: np.ndarray
  success: np.ndarray
  source: np.ndarray
  task: np.ndarray
  instruction: np.ndarray
  environment: np.ndarray
  name: np.ndarray = ""

  def __post_init__(self):
    for field in _fields():
      value = getattr(self, field.name)
      if isinstance(value, str):
        value = np.full(len(self.frames), value, object)
      object.__setattr__(self, field.name, np.asarray(value))
    sizes = {f.name: len(getattr(self, f.name)) for f in _fields()}
    if len(set(sizes.values())) != 1:
      raise ValueError(f"labeled clips differ in number: {sizes}")

  def __len__(self) -> int:
    return len(self.frames)

  @property
  def near_miss(self) -> np.ndarray:
    """`[N]` bool: failures of a source that nearly succeeds."""
    return ~self.success & np.isin(self.source.astype(str), NEAR_SOURCES)

  @property
  def explored(self) -> np.ndarray:
    """`[N]` bool: failures of a source that explores at random."""
    return ~self.success & np.isin(self.source.astype(str), RANDOM_SOURCES)

  def __getitem__(self, index) -> "LabeledClips":
    """The clips at `index`, a mask or an array of integers."""
    return LabeledClips(*(getattr(self, f.name)[index] for f in _fields()))


def _fields():
  return dataclasses.fields(LabeledClips)


def concatenate(parts: Sequence[LabeledClips]) -> LabeledClips:
  """All clips of `parts`, in order."""
  columns = ([getattr(p, f.name) for p in parts] for f in _fields())
  return LabeledClips(*(np.concatenate(column) for column in columns))

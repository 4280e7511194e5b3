"""Clips with labels: what an evaluation scores.

Letters: N clips, T frames, L instructions.
"""

import dataclasses
from collections.abc import Iterator, Sequence

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
    for name, value in vars(self).items():
      if isinstance(value, str):
        value = np.full(len(self.frames), value, object)
      object.__setattr__(self, name, np.asarray(value))
    sizes = {name: len(value) for name, value in vars(self).items()}
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

  @property
  def near_misses_or_failures(self) -> np.ndarray:
    """`[N]` bool: near-misses, or all failures where none is a near-miss."""
    return self.near_miss if self.near_miss.any() else ~self.success

  def text_index(self, texts: Sequence[str]) -> np.ndarray:
    """Returns `[N]` int, where each clip's own instruction is in `texts`."""
    position = {text: i for i, text in enumerate(texts)}
    return np.array([position[text] for text in self.instruction], int)

  def own_scores(self, scores: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Returns `[N]` of scores `[N, L]`, those for each clip's instruction."""
    return scores[np.arange(len(self)), self.text_index(texts)]

  def groups(self) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yields environment, task and the indices of their clips, in order."""
    for environment in dict.fromkeys(self.environment):
      here = self.environment == environment
      for task in dict.fromkeys(self.task[here]):
        yield environment, task, np.flatnonzero(here & (self.task == task))

  def __getitem__(self, index) -> "LabeledClips":
    """Returns the clips at `index`, a mask or an array of integers."""
    return LabeledClips(*(value[index] for value in vars(self).values()))


def concatenate(parts: Sequence[LabeledClips]) -> LabeledClips:
  """Returns all clips of `parts`, in order."""
  columns = zip(*(vars(part).values() for part in parts), strict=True)
  return LabeledClips(*map(np.concatenate, columns))

"""The settings under `data`, as records that check themselves.

They are made once, from a config's `data`; see configs/envgen.py for what the
defaults are and what each setting does.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from a2r.core import checks
from data.readers import folder, lerobot, rlds

# A data set of another format: one file in data/readers, one row here.
READERS = {
  "folder": folder.open_clips,
  "lerobot": lerobot.open_clips,
  "rlds": rlds.open_clips,
}
USER_SOURCES = ("records", *READERS)
ROBOT_SOURCES = ("tabletop", *USER_SOURCES)
HUMAN_SOURCES = ("procedural", "ssv2", "records", "folder", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobotSettings:
  """Robot clips.

  `camera` to `labels` are for readers, see `data.readers.base.Options`;
  `environment` and the rest for the simulator, see `worlds.RobotSpec`.

  Attributes:
    source: of `ROBOT_SOURCES`.
    path: of the user's clips.
    test_path: of those to judge on; '' for none.
    tasks: names; empty for all of the user's, for the tabletop's targets.
  """

  source: str
  path: str = ""
  test_path: str = ""
  camera: str = ""
  instruction_key: str = ""
  success_key: str = ""
  success_threshold: float = 1.0
  labels: str = ""
  tasks: tuple[str, ...] = ()
  environment: str = "tabletop/train"
  successes: int = 0
  failures: int = 0
  near_miss_fraction: float = 0.0
  near_miss_sources: tuple[str, ...] = ()
  random_sources: tuple[str, ...] = ()
  success_sources: tuple[str, ...] = ()

  def __post_init__(self):
    checks.one_of("data.robot.source", self.source, ROBOT_SOURCES)

  @property
  def is_users(self) -> bool:
    """Whether the clips are the user's, not the simulator's."""
    return self.source in USER_SOURCES


@dataclasses.dataclass(frozen=True, kw_only=True)
class HumanSettings:
  """Human clips.

  Attributes:
    source: of `HUMAN_SOURCES`.
    path: of the user's clips, or of Something-Something V2.
    templates: empty for all that there are.
    clips_per_template: at most; 0 takes all that there are.
  """

  source: str
  path: str = ""
  templates: tuple[str, ...] = ()
  clips_per_template: int = 0

  def __post_init__(self):
    checks.one_of("data.human.source", self.source, HUMAN_SOURCES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidationSettings:
  """Robot clips that are not trained on.

  Attributes:
    successes: per task; of the user's clips, at most.
    failures: per task; the same.
    share: of the user's clips at most, of each task and outcome; 0 for none.
  """

  successes: int = 0
  failures: int = 0
  share: float = 0.0

  def __post_init__(self):
    if not 0 <= self.share < 1:
      raise ValueError(
        f"data.validation.share={self.share}: expected at least 0 (no clip is "
        "held out) and less than 1"
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSettings:
  """The data of a run.

  Attributes:
    dir: folder of the data sets that are made.
    image_size: pixels of the stored pictures, either side.
    stored_frames: pictures stored of a clip.
    human: its human clips.
    robot: its robot clips; None where it uses none.
    validation: clips that are held out.
  """

  dir: str
  image_size: int
  stored_frames: int
  human: HumanSettings
  robot: RobotSettings | None = None
  validation: ValidationSettings = ValidationSettings()

  @property
  def sizes(self) -> dict[str, int]:
    """What is stored of a clip, as arguments."""
    return {"num_frames": self.stored_frames, "image_size": self.image_size}

  @classmethod
  def from_config(cls, config: Mapping[str, Any]) -> "DataSettings":
    """Returns the settings of a config's `data`; others' keys are ignored."""
    kinds = {
      "human": HumanSettings,
      "robot": RobotSettings,
      "validation": ValidationSettings,
    }
    parts = {k: make_record(kinds[k], config[k]) for k in kinds if k in config}
    return make_record(cls, dict(config) | parts)


def make_record(kind: type, values: Mapping[str, Any]) -> Any:
  """Returns a record of those values that it has fields for."""
  names = {field.name for field in dataclasses.fields(kind)}
  return kind(
    **{
      name: tuple(value) if isinstance(value, list) else value
      for name, value in values.items()
      if name in names
    }
  )

"""How to plan; light to import, for programs whose flags are made of it."""

import dataclasses
from typing import Literal, get_args

from etils import epy

from a2r.core import checks

with epy.lazy_imports():
  from a2r.sim.tabletop import physics

Method = Literal["shooting", "cem", "mppi"]
Clip = Literal["episode", "future"]
METHODS = get_args(Method)
_COUNTS = (
  "num_samples",
  "horizon",
  "num_plans",
  "num_iterations",
  "num_elites",
  "action_repeat",
  "micro_batch",
)


@dataclasses.dataclass(frozen=True)
class PlannerConfig:
  """How to plan; the defaults are DVD's (100 random sequences, the best).

  Attributes:
    method: 'shooting', 'cem' or 'mppi'.
    num_samples: N, candidates of one iteration.
    horizon: H; all H actions are executed before the next plan.
    num_plans: plans of an episode; `horizon * num_plans` is at most 60.
    num_iterations: rounds of drawing; 'shooting' draws all rounds alike. None:
      1 for 'shooting', 3 for the others.
    num_elites: the best so many candidates shape 'cem's next round. None: a
      fifth of the candidates. Around a single one the next are drawn with a
      floor of spread (`samplers.update`).
    temperature: of 'mppi's weights, in standard deviations of the values.
    action_repeat: steps that each drawn action is held for; 1 is DVD's.
    clip: what the reward sees: 'episode', the T frames of all 60 steps that
      rewards are trained on, executed, predicted, and held from then on; or
      'future', T frames of the H predicted steps, as DVD has it.
    micro_batch: rows predicted and valued at a time, which bounds memory.
  """

  method: Method = "shooting"
  num_samples: int = 100
  horizon: int = 20
  num_plans: int = 3
  num_iterations: int | None = None
  num_elites: int | None = None
  temperature: float = 0.5
  action_repeat: int = 1
  clip: Clip = "episode"
  micro_batch: int = 512

  def __post_init__(self):
    checks.one_of("method", self.method, METHODS)
    checks.one_of("clip", self.clip, get_args(Clip))
    checks.count("num_samples", self.num_samples, 1)
    if self.num_iterations is None:
      many = 1 if self.method == "shooting" else 3
      object.__setattr__(self, "num_iterations", many)
    if self.num_elites is None:
      object.__setattr__(self, "num_elites", max(1, self.num_samples // 5))
    for name in _COUNTS:
      checks.count(name, getattr(self, name), 1)
    if self.horizon * self.num_plans > physics.NUM_STEPS:
      raise ValueError(
        f"an episode has {physics.NUM_STEPS} steps, got {self.num_plans} plans"
        f" of {self.horizon}"
      )
    if self.method == "cem" and self.num_elites > self.num_samples:
      raise ValueError(
        f"cannot take {self.num_elites} elites of {self.num_samples} candidates"
      )
    if not 0 < self.temperature < float("inf"):
      raise ValueError(f"temperature must be positive, got {self.temperature}")

"""What a user of the planner gets wrong: one line that names it."""

import jax.numpy as jnp
import pytest

from a2r.models.fitvid import fitvid
from a2r.planning import (
  acting,
  config,
  objectives,
  planner,
  simulation,
  timing,
  video_model,
)
from tests import mistakes
from tests.planning import toy

ENV = "tabletop/train"
SETTINGS = config.PlannerConfig()


def play(names, seeds, objective=None, dynamics=None):
  acting.run(ENV, names, seeds, dynamics, objective, SETTINGS)


def poke_alone(task, dynamics):
  objective = objectives.from_scorer(toy.make_scorer(), {"poke_cup": "poking"})
  play([task], [0], objective, dynamics)


def plan_without_states():
  dynamics = toy.make_dynamics()._replace(has_states=False, name="video")
  planner.make_plan_fn(dynamics, toy.make_objective(), SETTINGS)


def predict_between_ticks():
  dynamics = video_model.make_dynamics(fitvid.Config(stride=2), {})
  rows = toy.make_state([0.0])._replace(context=(None, None))
  dynamics.predict_fn({}, rows, jnp.zeros((1, 3, 5)), None, None)


@pytest.mark.parametrize(
  ("changes", "names"),
  [
    ({"method": "random"}, "method 'random' shooting cem mppi"),
    ({"clip": "past"}, "clip 'past' episode future"),
    ({"num_samples": 0}, "num_samples 0"),
    ({"num_samples": "9"}, "num_samples '9'"),
    ({"horizon": 10**9}, "horizon 1000000000"),
    ({"micro_batch": 2.5}, "micro_batch 2.5"),
    ({"action_repeat": True}, "action_repeat True"),
    ({"horizon": 30}, "60 3 30"),
    ({"method": "cem", "num_samples": 10, "num_elites": 20}, "20 10"),
    ({"temperature": 0.0}, "temperature 0.0"),
  ],
)
def test_settings_that_make_no_sense_are_refused(changes, names):
  mistakes.check(lambda: config.PlannerConfig(**changes), ValueError, names)


@pytest.mark.parametrize(
  ("call", "error", "names"),
  [
    (lambda: play(["fly"], [0]), KeyError, "fly close_drawer"),
    (lambda: play(["close_drawer"], [0, 1]), ValueError, "task seed 2"),
    (lambda: play("close_drawer", [0]), ValueError, "task close_drawer"),
    (lambda: play([], []), ValueError, "trial"),
    (lambda: play(["close_drawer"], [-1]), ValueError, "seed -1"),
    (lambda: play(["close_drawer"], [2**32]), ValueError, f"seed {2**32}"),
    (lambda: play(["close_drawer"], [1.5]), ValueError, "seed 1.5"),
    (
      lambda: poke_alone("close_drawer", toy.make_dynamics()),
      ValueError,
      "'scores' 'close_drawer' poke_cup",
    ),
    (lambda: poke_alone("poke_cup", None), ValueError, "'scores' dynamics"),
    (plan_without_states, ValueError, "'toy' 'video'"),
    (
      lambda: objectives.from_scorer(toy.make_scorer(), {"fly": "fly away"}),
      KeyError,
      "'fly' close_drawer",
    ),
    (
      lambda: objectives.from_scorer(toy.make_scorer(), {}),
      ValueError,
      "at least one task",
    ),
    (lambda: objectives.ground_truth("kitchen"), KeyError, f"kitchen {ENV}"),
    (
      lambda: simulation.make_dynamics("kitchen", image_size=8),
      KeyError,
      f"kitchen {ENV}",
    ),
    (
      lambda: simulation.make_dynamics(ENV, image_size=8, physics="bullet"),
      ValueError,
      "bullet auto c mjx",
    ),
    (
      lambda: simulation.make_dynamics(ENV, image_size=0),
      ValueError,
      "image_size 0",
    ),
    (lambda: timing.make(SETTINGS, 1, 0), ValueError, "1 frame start"),
    (predict_between_ticks, ValueError, "3 steps stride 2"),
    (
      lambda: video_model.make_dynamics(fitvid.Config(), {}, latent="mode"),
      ValueError,
      "latent mode mean",
    ),
    (
      lambda: video_model.make_dynamics(fitvid.Config(num_past=3), {}),
      ValueError,
      "num_past 3",
    ),
  ],
)
def test_mistakes_are_named_in_one_line(call, error, names):
  mistakes.check(call, error, names)

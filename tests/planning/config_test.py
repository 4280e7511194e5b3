"""What the planner accepts."""

import pytest

from a2r.planning import config


def test_defaults_are_those_of_dvd():
  settings = config.PlannerConfig()
  assert settings.method == "shooting"
  assert (settings.num_samples, settings.horizon, settings.num_plans) == (
    100,
    20,
    3,
  )
  assert (settings.num_iterations, settings.num_elites) == (1, 20)
  assert settings.action_repeat == 1
  search = config.PlannerConfig(method="cem", num_samples=4)
  assert (search.num_iterations, search.num_elites) == (3, 1)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"method": "random"}, "unknown method 'random'; known: shooting, cem"),
    ({"clip": "past"}, "unknown clip 'past'; known: episode, future"),
    ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
    ({"micro_batch": 2.5}, "micro_batch must be a whole number, got 2.5"),
    ({"action_repeat": True}, "action_repeat must be a whole number"),
    ({"horizon": 30}, "60 steps, got 3 plans of 30"),
    (
      {"method": "cem", "num_samples": 10, "num_elites": 20},
      "cannot take 20 elites of 10 candidates",
    ),
    ({"temperature": 0.0}, "temperature must be positive, got 0.0"),
  ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
  with pytest.raises(ValueError, match=message):
    config.PlannerConfig(**change)

"""What the planner accepts."""

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

"""The simulated tabletop: environments, tasks, robot clips."""

from a2r.sim.collect import Clips, collect
from a2r.sim.tasks import TARGETS, TASKS
from a2r.sim.variants import ENVIRONMENTS

__all__ = ["ENVIRONMENTS", "TARGETS", "TASKS", "Clips", "collect"]

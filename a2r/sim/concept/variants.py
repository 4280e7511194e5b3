"""The environments of Concept2Robot's table: how all tasks are seen there."""

from a2r.sim.concept import views

# By name: options of `a2r.sim.concept.env.make`.
ENVIRONMENTS = {"concept": {}} | {
  f"concept_{view}": {"view": view} for view in views.VIEWS[1:]
}

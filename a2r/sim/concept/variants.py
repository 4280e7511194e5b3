"""The environments of Concept2Robot's table: how all tasks are seen there."""

from a2r.sim.concept import distractors, views

# By name: options of `a2r.sim.concept.env.make`.
ENVIRONMENTS = {
  "concept": {},
  **{f"concept_{view}": {"view": view} for view in views.VIEWS[1:]},
  **{
    f"concept_distractors_{num}": {"distractors": num}
    for num in range(1, distractors.MAX_DISTRACTORS + 1)
  },
}

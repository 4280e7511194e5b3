"""What stands still in a counterfactual, by hand."""

import numpy as np

from a2r.sim.tabletop import scene


def test_the_arm_moves_alone(benchmark_module):
  path = np.random.default_rng(0).normal(size=(2, 8, scene.NQ))
  still = benchmark_module("counterfactuals").with_still_objects(path)
  arm, objects = np.split(still, [scene.MUG.start], axis=-1)
  np.testing.assert_array_equal(arm, path[:, :, : scene.MUG.start])
  np.testing.assert_array_equal(
    objects, np.repeat(path[:, :1, scene.MUG.start :], 8, axis=1)
  )
  assert (path[:, 1:] != path[:, :1]).all()  # What was given is as it was.

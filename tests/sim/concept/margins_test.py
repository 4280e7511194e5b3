"""Atoms of success on episodes of known geometry."""

import numpy as np
import pytest

from a2r.sim.concept import margins, physics, policies, tasks, views


def _start(number, num=3):
  scene = tasks.ALL_TASKS[number].scene
  start = policies.sample_start(scene, [[number, n] for n in range(num)])
  return margins.Record(scene, physics.at_start(scene, start))


def test_a_nut_is_as_large_as_the_release_s():
  low, high = _start(93).box("object")  # Lying flat.
  size = (high - low)[0, 0]
  np.testing.assert_allclose(np.sort(size), (0.048, 0.090, 0.104), atol=1e-3)
  np.testing.assert_allclose(low[..., 2], 0.285, atol=1e-6)


def test_boxes_tell_before_behind_and_beside():
  record = _start(8)
  x = record.center("object")[..., 0] - record.center("reference")[..., 0]
  np.testing.assert_allclose(x, -0.11, atol=2e-3)
  assert (margins.behind(record) < -0.1).all()
  far = margins.distance_above(record)
  np.testing.assert_allclose(far, np.hypot(0.11, 0.12), atol=2e-3)


def test_the_hand_is_clear_of_the_arm_at_the_start():
  assert margins.hand_to_arm(_start(45)).min() > 0.1


def test_fingers_between_the_arms_links_are_near_to_them():
  record = _start(45, num=1)
  model = record.scene.model
  fingers, link = (
    [row for row in range(model.ngeom) if model.geom(row).name.startswith(name)]
    for name in ("finger/right", "arm/upper")
  )
  record.geom_position[:, :, fingers[0]] = record.geom_position[:, :, link[0]]
  thickness = model.geom_size[link[0], 0]
  np.testing.assert_allclose(
    margins.hand_to_arm(record), -thickness - 0.02, atol=1e-6
  )


def test_margins_combine_as_in_signal_temporal_logic():
  one, two = np.array([[1.0, -1.0]]), np.array([[-2.0, 3.0]])
  np.testing.assert_array_equal(margins.both(one, two), [[-2, -1]])
  np.testing.assert_array_equal(margins.either(one, two), [[1, 3]])
  np.testing.assert_array_equal(margins.so_far(two), [[-2, 3]])
  np.testing.assert_array_equal(margins.since_start(two), [[0, 5]])


def test_a_plate_hides_what_is_beneath_it():
  under = _start(121)
  assert margins.visible(under, "object", "plate").max() < 0.1
  beside = _start(6)
  assert margins.visible(beside, "object", "plate").min() > 0.5


def test_views_see_the_table():
  corners = np.array([[0.3, 0.1, 0.285], [0.6, -0.2, 0.285]])
  for view in views.VIEWS:
    assert views.sees(corners, 0.0, view).all()
  assert not views.sees(np.array([[0.3, 2.0, 0.3], [-1.0, 0, 0.9]]), 0.0).any()
  with pytest.raises(KeyError, match="unknown view 'top'; known: first, third"):
    views.make_camera("top")
